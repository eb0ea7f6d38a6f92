#include "report/chart.h"

#include "core/memory.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* gnuplot knows no names for what a page decides, so colours that nobody uses stand for them: red and green
 * are marks, blue says which. */
enum { MARK_RED = 1, MARK_GREEN = 2, TEXT = 0, GRID = 100, SVG_LIMIT = 1 << 24 };

/* In single quotes, where only the quote itself is special. */
static void put_quoted(FILE *script, const char *text) {
    putc('\'', script);
    for (; *text; text++) {
        if (*text == '\'') putc('\'', script);
        putc(*text == '\n' ? ' ' : *text, script);
    }
    putc('\'', script);
}

static void put_setting(FILE *script, const char *name, const char *text) {
    fprintf(script, "set %s ", name);
    put_quoted(script, text);
    fprintf(script, " noenhanced textcolor rgb \"#%02x%02x%02x\"\n", MARK_RED, MARK_GREEN, TEXT);
}

static void put_start(FILE *script, const char *id, const char *title, int width, int height) {
    fprintf(script, "set terminal svg size %d,%d dynamic name '%s' font 'sans-serif,13'\n", width, height,
            id);
    put_setting(script, "title", title);
    fputs("set lmargin 10\nset rmargin 2\nset tmargin 2.5\n", script);
    fprintf(script,
            "set border 3 lc rgb '#%1$02x%2$02x%3$02x'\nset tics nomirror out textcolor rgb "
            "'#%1$02x%2$02x%3$02x'\n"
            "set grid ytics lc rgb '#%1$02x%2$02x%4$02x'\n"
            "unset key\n",
            MARK_RED, MARK_GREEN, TEXT, GRID);
}

/* "rgb(  1,   2, 100)" as gnuplot writes it. */
static const char *after_mark(const char *at, int *mark) {
    char start[24] = "";
    int red, green, size = 0;
    strncpy(start, at, sizeof start - 1);
    if (sscanf(start, "rgb(%d,%d,%d)%n", &red, &green, mark, &size) < 3 || !size || red != MARK_RED ||
        green != MARK_GREEN)
        return NULL;
    return at + size;
}

/* What the page decides, in place of the marks; what comes before <svg is left out. */
static char *give_colours(const char *svg) {
    char *text;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    const char *at = strstr(svg, "<svg");
    while (at && *at) {
        int mark;
        const char *after = *at == 'r' ? after_mark(at, &mark) : NULL;
        if (!after)
            putc(*at++, out);
        else if (mark == TEXT)
            at = after, fputs("var(--ink)", out);
        else if (mark == GRID)
            at = after, fputs("var(--grid)", out);
        else
            at = after, fprintf(out, "var(--series-%d)", mark);
    }
    fclose(out);
    return text;
}

/* What the command prints, to be freed. */
static char *output_of(const char *command, int *status, Error *error) {
    FILE *pipe = popen(command, "r");
    if (!pipe) {
        error_set_errno(error, "cannot start gnuplot");
        return NULL;
    }
    char *text = memory_need(SVG_LIMIT, 1);
    const size_t size = fread(text, 1, SVG_LIMIT - 1, pipe);
    const bool fine = !ferror(pipe) || error_set_errno(error, "cannot read what gnuplot draws");
    text[size] = 0;
    *status = pclose(pipe);
    if (fine) return text;
    free(text);
    return NULL;
}

/* gnuplot reads the script from a file, since nobody would read its answer while it is still being told. The
 * file has no name, so that nothing is left of it. */
static char *run_gnuplot(const char *script, Error *error) {
    char command[64];
    int status;
    FILE *file = tmpfile();
    if (!file || fputs(script, file) == EOF || fflush(file)) {
        error_set_errno(error, "cannot write a temporary file for gnuplot");
        if (file) fclose(file);
        return NULL;
    }
    snprintf(command, sizeof command, "gnuplot /dev/fd/%d 2>&1", fileno(file));
    char *svg = output_of(command, &status, error);
    fclose(file);
    if (svg && (status || !strstr(svg, "</svg>"))) {
        error_set(error, "gnuplot cannot draw (Debian's package gnuplot-nox has it): %.200s",
                  *svg ? svg : "it says nothing");
        free(svg);
        svg = NULL;
    }
    return svg;
}

/* Frees the script. */
static char *draw(char *script, Error *error) {
    char *svg = run_gnuplot(script, error), *coloured = svg ? give_colours(svg) : NULL;
    free(script);
    free(svg);
    return coloured;
}

typedef struct Range {
    double low, high;
} Range;

static void widen(Range *range, double value) {
    if (isnan(value)) return;
    range->low = fmin(range->low, value);
    range->high = fmax(range->high, value);
}

/* With room around it, also when it is a point, which gnuplot would warn of. */
static void put_range(FILE *script, char axis, Range range, bool from_zero) {
    const double span = range.high > range.low ? range.high - range.low : fmax(fabs(range.high), 1e-3);
    const double low = from_zero && range.low >= 0 ? 0 : range.low - 0.08 * span;
    fprintf(script, "set %crange [%.9g:%.9g]\n", axis, low, range.high + 0.08 * span);
}

static void put_epochs(FILE *script, double last) {
    fprintf(script, "set xrange [0.5:%.9g]\n", last + 0.5);
    if (last <= 12) fputs("set xtics 1,1\n", script);
}

static void put_line(FILE *script, const ChartLine *line, size_t number) {
    fprintf(script, "%s$line%zu using 1:2 with %s lw 2 %s lc rgb '#%02x%02x%02x'", number ? ", " : "plot ",
            number, line->level ? "lines" : "linespoints", line->level ? "dt (8,5)" : "pt 7 ps 0.5", MARK_RED,
            MARK_GREEN, line->series);
}

static void put_points(FILE *script, const ChartLine *line, size_t number, double last) {
    fprintf(script, "$line%zu << end\n", number);
    if (line->level) fprintf(script, "0.5 %.9g\n%.9g %.9g\n", line->y[0], last + 0.5, line->y[0]);
    for (size_t i = 0; !line->level && i < line->count; i++)
        if (!isnan(line->y[i])) fprintf(script, "%.9g %.9g\n", line->x[i], line->y[i]);
    fputs("end\n", script);
}

char *chart_lines(const Chart *chart, Error *error) {
    char *text;
    size_t size;
    FILE *script = open_memstream(&text, &size);
    Range epochs = {1, 1}, values = {INFINITY, -INFINITY};
    for (size_t i = 0; i < chart->line_count; i++)
        for (size_t n = 0; n < chart->lines[i].count; n++) {
            if (!chart->lines[i].level) widen(&epochs, chart->lines[i].x[n]);
            widen(&values, chart->lines[i].y[n]);
        }
    if (values.low > values.high) values = (Range){0, 1};
    put_start(script, chart->id, chart->title, 400, 320);
    put_setting(script, "xlabel", chart->x_label);
    put_setting(script, "ylabel", chart->y_label);
    put_range(script, 'y', values, chart->from_zero);
    put_epochs(script, epochs.high);
    for (size_t i = 0; i < chart->line_count; i++)
        put_points(script, &chart->lines[i], i, epochs.high);
    for (size_t i = 0; i < chart->line_count; i++)
        put_line(script, &chart->lines[i], i);
    fclose(script);
    return draw(text, error);
}

/* The names beside the axis, and room for the longest. */
static void put_names(FILE *script, const ChartInterval *intervals, size_t count) {
    size_t longest = 8;
    for (size_t i = 0; i < count; i++)
        if (strlen(intervals[i].name) > longest) longest = strlen(intervals[i].name);
    fprintf(script,
            "set lmargin %zu\nset border 1\nset grid xtics noytics\nset yrange [%zu.5:0.5]\nset ytics (",
            (longest < 28 ? longest : 28) + 3, count);
    for (size_t i = 0; i < count; i++) {
        if (i) fputs(", ", script);
        put_quoted(script, intervals[i].name);
        fprintf(script, " %zu", i + 1);
    }
    fputs(") scale 0 noenhanced\n", script);
}

char *chart_intervals(const char *id, const char *title, const char *x_label, const ChartInterval *intervals,
                      size_t count, Error *error) {
    char *text;
    size_t size;
    FILE *script = open_memstream(&text, &size);
    Range values = {INFINITY, -INFINITY};
    put_start(script, id, title, 400, 120 + 38 * (int)count);
    put_setting(script, "xlabel", x_label);
    put_names(script, intervals, count);
    for (size_t i = 0; i < count; i++) {
        widen(&values, intervals[i].low);
        widen(&values, intervals[i].high);
    }
    put_range(script, 'x', values, true);
    for (size_t i = 0; i < count; i++)
        fprintf(script, "$line%zu << end\n%.9g %zu %.9g %.9g\nend\n", i, intervals[i].value, i + 1,
                intervals[i].low, intervals[i].high);
    for (size_t i = 0; i < count; i++)
        fprintf(script, "%s$line%zu using 1:2:3:4 with xerrorbars lw 2 pt 7 ps 0.9 lc rgb '#%02x%02x%02x'",
                i ? ", " : "plot ", i, MARK_RED, MARK_GREEN, intervals[i].series);
    fclose(script);
    return draw(text, error);
}

#include "core/memory.h"
#include "report/chart.h"
#include "report/html.h"
#include "report/page_parts.h"

#include <math.h>

typedef enum Curve { CURVE_HITS, CURVE_LOSS } Curve;

/* A run's curve: of several seeds that of the first that was logged. */
static ChartLine curve_of(const ReportRow *row, const Run *run, Curve curve) {
    const size_t count = run->epoch_count;
    ChartLine line = {memory_need(count, sizeof(double)), memory_need(count, sizeof(double)), count,
                      row->series, false};
    for (size_t i = 0; i < count; i++) {
        line.x[i] = (double)run->epochs[i].epoch;
        line.y[i] = curve == CURVE_HITS ? run->epochs[i].hits : run->epochs[i].loss;
    }
    return line;
}

/* A baseline's figure in validation, at any epoch. */
static ChartLine level_of(const ReportRow *row, double value) {
    ChartLine line = {NULL, memory_need(1, sizeof(double)), 1, row->series, true};
    line.y[0] = value;
    return line;
}

static size_t collect_lines(const Report *report, Curve curve, ChartLine *lines) {
    size_t count = 0;
    for (size_t i = 0; i < report->count; i++) {
        const ReportRow *row = &report->rows[i];
        const Run *run = report_logged_run(&row->group);
        const double valid = run_group_spread(&row->group, false, "HR@10").mean;
        if (run)
            lines[count++] = curve_of(row, run, curve);
        else if (curve == CURVE_HITS && !isnan(valid))
            lines[count++] = level_of(row, valid);
    }
    return count;
}

static bool put_svg(char *svg, FILE *page) {
    if (svg) fprintf(page, "<div class=\"card\">%s</div>\n", svg);
    free(svg);
    return svg != NULL;
}

static bool put_curves(const Report *report, Curve curve, FILE *page, Error *error) {
    char title[256];
    ChartLine *lines = memory_need(report->count, sizeof *lines);
    const size_t count = collect_lines(report, curve, lines);
    snprintf(title, sizeof title, "%s: %.200s", curve == CURVE_HITS ? "Validation" : "Training",
             report->request->title);
    const Chart chart = {.id = curve == CURVE_HITS ? "validation" : "loss",
                         .title = title,
                         .x_label = "epoch",
                         .y_label = curve == CURVE_HITS ? "HR@10" : "loss",
                         .from_zero = curve == CURVE_HITS,
                         .lines = lines,
                         .line_count = count};
    bool curved = false;
    for (size_t i = 0; i < count; i++)
        curved = curved || !lines[i].level;
    const bool fine = !curved || put_svg(chart_lines(&chart, error), page);
    for (size_t i = 0; i < count; i++) {
        free(lines[i].x);
        free(lines[i].y);
    }
    free(lines);
    return fine;
}

static bool put_intervals(const Report *report, FILE *page, Error *error) {
    char title[256];
    ChartInterval *intervals = memory_need(report->count, sizeof *intervals);
    size_t count = 0;
    for (size_t i = 0; i < report->count; i++) {
        const ReportRow *row = &report->rows[i];
        if (row->figure.users)
            intervals[count++] = (ChartInterval){row->group.name, row->figure.mean, row->figure.low,
                                                 row->figure.high, row->series};
    }
    snprintf(title, sizeof title, "Test: %.200s", report->request->title);
    const bool fine =
        !count || put_svg(chart_intervals("test", title, "HR@10 and its 95 % interval over users", intervals,
                                          count, error),
                          page);
    free(intervals);
    return fine;
}

static void put_legend(const Report *report, FILE *page) {
    fputs("<p class=\"legend\">", page);
    for (size_t i = 0; i < report->count; i++) {
        const ReportRow *row = &report->rows[i];
        fprintf(page, "<span><i class=\"%s\" style=\"border-color:var(--series-%d)\"></i>",
                report_logged_run(&row->group) ? "line" : "line level", row->series);
        html_put_text(page, row->group.name);
        fputs("</span>\n", page);
    }
    fputs("</p>\n", page);
}

bool page_put_charts(const Report *report, FILE *page, Error *error) {
    fputs("<section id=\"curves\">\n<h2>Curves</h2>\n", page);
    put_legend(report, page);
    fputs("<div class=\"charts\">\n", page);
    const bool fine = put_curves(report, CURVE_HITS, page, error) &&
                      put_curves(report, CURVE_LOSS, page, error) && put_intervals(report, page, error);
    fputs("</div>\n</section>\n", page);
    return fine;
}

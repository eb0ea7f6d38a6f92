#include "report/report.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

/* Columns by characters, since a name may hold more bytes than that. */
static size_t width_of(const char *text) {
    size_t width = 0;
    for (; *text; text++)
        width += ((unsigned char)*text & 0xc0) != 0x80;
    return width;
}

static void put_figure(FILE *out, double value) {
    if (isnan(value))
        fprintf(out, " %8s", "-");
    else
        fprintf(out, " %8.4f", value);
}

static void put_row(const ReportRow *row, size_t width, FILE *out) {
    fprintf(out, "%s%*s", row->group.name, (int)(width - width_of(row->group.name)), "");
    put_figure(out, row->hits.mean);
    put_figure(out, row->gain.mean);
    if (row->hits.count > 1)
        fprintf(out, "  %.4f-%.4f/%zu", row->hits.lowest, row->hits.highest, row->hits.count);
    else
        fprintf(out, "  %-15s", "");
    const Estimate *d = &row->difference;
    if (d->users) {
        fprintf(out, " %+8.4f %+7.1f  %+.4f .. %+.4f  ", d->mean,
                d->standard_error > 0 ? d->mean / d->standard_error : 0, d->low, d->high);
        report_put_p(out, d->p);
    }
    putc('\n', out);
}

void report_print(const Report *report, FILE *out) {
    size_t width = strlen("run");
    for (size_t i = 0; i < report->count; i++)
        if (width_of(report->rows[i].group.name) > width) width = width_of(report->rows[i].group.name);
    fprintf(out, "%-*s %8s %8s  %-15s %8s %7s  %-18s  p\n", (int)width, "run", "HR@10", "NDCG@10", "of seeds",
            "from 1st", "errors", "95 % of it");
    for (size_t i = 0; i < report->count; i++)
        put_row(&report->rows[i], width, out);
}

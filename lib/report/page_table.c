#include "report/html.h"
#include "report/page_parts.h"

#include <inttypes.h>
#include <math.h>

static void put_figure(const Spread *spread, double best, FILE *page) {
    if (!spread->count) {
        fputs("<td class=\"soft\">–</td>", page);
        return;
    }
    fprintf(page, "<td%s>%.4f", spread->mean >= best ? " class=\"best\"" : "", spread->mean);
    if (spread->count > 1) fprintf(page, "<br><small>%.4f … %.4f</small>", spread->lowest, spread->highest);
    fputs("</td>", page);
}

static void put_difference(const Estimate *d, FILE *page) {
    if (!d->users) {
        fputs("<td class=\"soft\">–</td><td></td><td></td><td></td>", page);
        return;
    }
    const bool sure = d->low > 0 || d->high < 0;
    fprintf(page, "<td class=\"%s\">%+.4f</td>", !sure ? "" : d->mean > 0 ? "good" : "bad", d->mean);
    fprintf(page, "<td>%+.1f</td>", d->standard_error > 0 ? d->mean / d->standard_error : 0);
    fprintf(page, "<td>%+.4f … %+.4f</td><td>", d->low, d->high);
    if (d->p < 0.001)
        fputs("&lt; 0.001", page);
    else
        report_put_p(page, d->p);
    fputs("</td>", page);
}

static void put_epochs(const RunGroup *group, FILE *page) {
    const Run *run = report_logged_run(group);
    if (run)
        fprintf(page, "<td>%" PRId64 " of %" PRId64 "</td>", report_kept_epoch(run),
                run->epochs[run->epoch_count - 1].epoch);
    else
        fputs("<td class=\"soft\">–</td>", page);
}

static void put_row(const ReportRow *row, double best_hits, double best_gain, FILE *page) {
    fprintf(page, "<tr><td><span class=\"dot\" style=\"background:var(--series-%d)\"></span>", row->series);
    html_put_text(page, row->group.name);
    if (row->group.count > 1) fprintf(page, " <small>%zu seeds</small>", row->group.count);
    fputs("</td>", page);
    put_figure(&row->hits, best_hits, page);
    put_figure(&row->gain, best_gain, page);
    put_difference(&row->difference, page);
    put_epochs(&row->group, page);
    fputs("</tr>\n", page);
}

void page_put_table(const Report *report, FILE *page) {
    double best_hits = -1, best_gain = -1;
    for (size_t i = 0; i < report->count; i++) {
        if (report->rows[i].hits.mean > best_hits) best_hits = report->rows[i].hits.mean;
        if (report->rows[i].gain.mean > best_gain) best_gain = report->rows[i].gain.mean;
    }
    fputs(
        "<section id=\"results\">\n<h2>Results in the test</h2>\n<div class=\"card "
        "table\">\n<table>\n<thead><tr>"
        "<th>run</th><th>HR@10</th><th>NDCG@10</th><th>difference from ",
        page);
    html_put_text(page, report->rows[0].group.name);
    fputs(
        "</th><th>standard errors</th><th>95 % interval</th><th>p</th><th>kept "
        "epoch</th></tr></thead>\n<tbody>\n",
        page);
    for (size_t i = 0; i < report->count; i++)
        put_row(&report->rows[i], best_hits, best_gain, page);
    fputs(
        "</tbody>\n</table>\n</div>\n<p class=\"note\">HR@10: the share of users whose target is among the "
        "ten "
        "items ranked highest; NDCG@10 counts a place more the higher it is. Of several seeds the mean "
        "stands, "
        "with the lowest and the highest. Differences are those of HR@10 from the first run, paired over "
        "users: "
        "in standard errors, the interval by 2000 bootstrap samples of the users, p by a randomisation test "
        "of "
        "2000 draws.</p>\n</section>\n",
        page);
}

/* What pm-report does: runs side by side, on a terminal and as a page that needs no other file. */
#ifndef REPORT_REPORT_H
#define REPORT_REPORT_H

#include "report/people.h"
#include "report/posters.h"
#include "report/run.h"
#include "report/statistics.h"

typedef struct ReportRequest {
    const char *title;
    const char *users, *catalog, *images; /* for some users' recommendations; NULL: none */
    int64_t people;                       /* how many users */
    const char *output;                   /* the page; NULL: the terminal alone */
} ReportRequest;

/* What stands in a row of the table. */
typedef struct ReportRow {
    RunGroup group;
    Spread hits, gain;   /* HR@10 and NDCG@10 of the test */
    Estimate figure;     /* HR@10 over users; users 0: there are no ranks */
    Estimate difference; /* from the first row's; users 0: unknown, or the first row itself */
    int series;          /* of its colour in charts */
} ReportRow;

typedef struct Report {
    const ReportRequest *request;
    ReportRow *rows;
    size_t count;
    People people;
    char **titles; /* of people's items, by number; NULL: none */
    Posters *posters;
} Report;

/* The runs' folders in the order of the table; the first is what the others are compared with. */
bool report(const ReportRequest *request, char *const *folders, size_t count, Error *error);

/* In terminal.c, page.c: the table on a terminal, the whole page. */
void report_print(const Report *report, FILE *out);
bool report_put_page(const Report *report, FILE *page, Error *error);

/* "< 0.001" or three decimals. */
void report_put_p(FILE *out, double p);

/* The first run of a group with logged epochs; NULL: there is none. */
const Run *report_logged_run(const RunGroup *group);

/* Whose model was kept: as the model says, or without it the one with the highest validation HR@10. */
int64_t report_kept_epoch(const Run *run);

#endif

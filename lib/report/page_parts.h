/* The parts of the page, each a section. */
#ifndef REPORT_PAGE_PARTS_H
#define REPORT_PAGE_PARTS_H

#include "report/report.h"

extern const char page_style[];

/* The table of runs, with what its columns mean. */
void page_put_table(const Report *report, FILE *page);

/* Curves of training, with the baselines as lines, and the figures with their intervals. */
bool page_put_charts(const Report *report, FILE *page, Error *error);

/* Nothing when no users were asked for. */
bool page_put_people(const Report *report, FILE *page, Error *error);

/* How each model came about, as its header tells. */
void page_put_lineage(const Report *report, FILE *page);

#endif

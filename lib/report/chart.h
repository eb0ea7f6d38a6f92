/* Charts by gnuplot, as SVG that stands in a page and takes its colours from there: text and axes are
 * var(--ink), the grid var(--grid), series i var(--series-i), from 1. */
#ifndef REPORT_CHART_H
#define REPORT_CHART_H

#include "core/error.h"

#include <stddef.h>

enum { CHART_SERIES = 8 };

/* A line through points, dots on it, or with `level` a dashed one across the chart, of which only y[0] is
 * read. The page says whose they are. */
typedef struct ChartLine {
    double *x, *y; /* [count] */
    size_t count;
    int series; /* 1 … CHART_SERIES */
    bool level;
} ChartLine;

typedef struct Chart {
    const char *id; /* of letters and digits, different for each chart of a page */
    const char *title, *x_label, *y_label;
    bool from_zero; /* the y axis begins at 0 */
    const ChartLine *lines;
    size_t line_count;
} Chart;

/* Lines over epochs. SVG, to be freed; NULL with a message when gnuplot is missing or fails. */
char *chart_lines(const Chart *chart, Error *error);

/* A value with an interval around it, by name. */
typedef struct ChartInterval {
    const char *name;
    double value, low, high;
    int series;
} ChartInterval;

/* One below the other, from the top. */
char *chart_intervals(const char *id, const char *title, const char *x_label, const ChartInterval *intervals,
                      size_t count, Error *error);

#endif

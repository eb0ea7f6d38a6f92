/* HR@k and NDCG@k from ranks. */
#ifndef EVAL_METRICS_H
#define EVAL_METRICS_H

#include "core/error.h"

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

enum { CUTOFFS_MAX = 16 };

/* The k of HR@k, in the order in which they were asked for. */
typedef struct Cutoffs {
    size_t count;
    uint32_t k[CUTOFFS_MAX];
} Cutoffs;

/* "5,10,20": numbers from 1, none twice. */
bool cutoffs_parse(Cutoffs *cutoffs, const char *text, Error *error);

/* HR@k = mean [rank ≤ k]; NDCG@k = mean [rank ≤ k] / log2(rank + 1). NaN when there is no user. */
typedef struct Metrics {
    size_t users;
    Cutoffs cutoffs;
    double hr[CUTOFFS_MAX], ndcg[CUTOFFS_MAX];
} Metrics;

/* Over the users whose `subset` (NULL: all users) equals `included`: with split_cold_targets the cold users
 * by true, the warm ones by false. */
Metrics metrics_compute(const Cutoffs *cutoffs, const double *ranks, size_t user_count, const bool *subset,
                        bool included);

/* {"users": n, "HR@5": …, …, "NDCG@5": …, …}, null for what no user defines. A new reference. */
json_t *metrics_json(const Metrics *metrics);

#endif

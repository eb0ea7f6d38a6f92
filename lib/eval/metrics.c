#include "eval/metrics.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One number of the list, which ends at a comma or with the text. */
static bool parse_cutoff(Cutoffs *cutoffs, const char *text, const char **end) {
    uint64_t k = 0;
    const char *at = text;
    for (; *at >= '0' && *at <= '9' && k <= UINT32_MAX; at++)
        k = 10 * k + (uint64_t)(*at - '0');
    *end = at;
    if (at == text || (*at && *at != ',') || !k || k > UINT32_MAX) return false;
    for (size_t i = 0; i < cutoffs->count; i++)
        if (cutoffs->k[i] == k) return false;
    cutoffs->k[cutoffs->count++] = (uint32_t)k;
    return true;
}

bool cutoffs_parse(Cutoffs *cutoffs, const char *text, Error *error) {
    *cutoffs = (Cutoffs){0};
    for (const char *at = text;; at++) {
        if (cutoffs->count == CUTOFFS_MAX)
            return error_set(error, "\"%s\": more than %d cut-offs", text, CUTOFFS_MAX);
        if (!parse_cutoff(cutoffs, at, &at))
            return error_set(error, "\"%s\": different numbers from 1, separated by commas, were expected",
                             text);
        if (!*at) return true;
    }
}

Metrics metrics_compute(const Cutoffs *cutoffs, const double *ranks, size_t user_count, const bool *subset,
                        bool included) {
    Metrics metrics = {.cutoffs = *cutoffs};
    for (size_t user = 0; user < user_count; user++) {
        if (subset && subset[user] != included) continue;
        metrics.users++;
        const double gain = 1 / log2(ranks[user] + 1);
        for (size_t i = 0; i < cutoffs->count; i++) {
            if (ranks[user] > cutoffs->k[i]) continue;
            metrics.hr[i]++;
            metrics.ndcg[i] += gain;
        }
    }
    for (size_t i = 0; i < cutoffs->count; i++) {
        metrics.hr[i] = metrics.users ? metrics.hr[i] / (double)metrics.users : NAN;
        metrics.ndcg[i] = metrics.users ? metrics.ndcg[i] / (double)metrics.users : NAN;
    }
    return metrics;
}

static void add_values(json_t *object, const char *metric, const Cutoffs *cutoffs, const double *values) {
    for (size_t i = 0; i < cutoffs->count; i++) {
        char key[32];
        snprintf(key, sizeof key, "%s@%" PRIu32, metric, cutoffs->k[i]);
        json_object_set_new(object, key, isnan(values[i]) ? json_null() : json_real(values[i]));
    }
}

json_t *metrics_json(const Metrics *metrics) {
    json_t *object = json_object();
    json_object_set_new(object, "users", json_integer((json_int_t)metrics->users));
    add_values(object, "HR", &metrics->cutoffs, metrics->hr);
    add_values(object, "NDCG", &metrics->cutoffs, metrics->ndcg);
    return object;
}

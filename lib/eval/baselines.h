/* Recommenders that learn nothing by gradients, to compare a model with. They see the training rows only, or,
 * to recommend what is next, all there is.
 *
 * Popularity scores an item by its count in the training rows.
 *
 * Co-occurrence: every pair of an item i and a later item j of a training row, d places apart, adds 1/d to
 * c[i][j], whatever the distance; w[i][j] = c[i][j] / √(count of j). The score of j is the sum of
 * 0.8^age · w[i][j] over the items i of the input, the last one of age 0. */
#ifndef EVAL_BASELINES_H
#define EVAL_BASELINES_H

#include "eval/ranking.h"

#define BASELINE_NAMES "popularity|co-occurrence"

/* The entry of --baseline in a tool's options. */
#define OPTION_BASELINE(name_of_it)                                                                          \
    {                                                                                                        \
        .name = "baseline", .kind = OPTION_TEXT, .value = &(name_of_it), .argument = "NAME",                 \
        .choices = BASELINE_NAMES, .help = "instead of a model: popularity, co-occurrence"                   \
    }

/* The baseline with this name, which has seen what is known when `split` is predicted. The behaviours must
 * outlive it. */
typedef struct Baseline Baseline;
Baseline *baseline_create(const char *name, const Behaviours *behaviours, Split split, Error *error);
void baseline_destroy(Baseline *baseline);

/* scores[1 … candidate_count] of a user; from any thread. */
void baseline_score(const Baseline *baseline, size_t user, uint32_t candidate_count, float *scores);

/* The ranks of all users, ranks[user_count], by the baseline with this name; in parallel, and the same with
 * any number of threads. */
bool baseline_ranks(const char *name, const Behaviours *behaviours, Split split, uint32_t candidate_count,
                    double *ranks, Error *error);

/* The w that are not 0. 8 bytes for each ordered pair of items that meet in a training row, of which there
 * are at most users × L(L+1)/2, and at most items². Building takes time with users × L², and meanwhile 16
 * bytes more for each training interaction and 12 for each item and thread. */
typedef struct CoOccurrence {
    uint32_t item_count;
    size_t *offsets; /* [item_count + 2]: the later items of item i are offsets[i] … offsets[i + 1] − 1 */
    uint32_t *items; /* in the order of first meeting */
    float *weights;
} CoOccurrence;

/* From the rows of the split `learned`. */
bool co_occurrence_build(CoOccurrence *pairs, const Behaviours *behaviours, Split learned, Error *error);
void co_occurrence_free(CoOccurrence *pairs);

/* scores[0 … candidate_count]. */
void co_occurrence_score(const CoOccurrence *pairs, Sequence input, uint32_t candidate_count, float *scores);

#endif

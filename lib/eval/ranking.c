#include "eval/ranking.h"

#include "core/memory.h"
#include "core/parallel.h"

#include <math.h>
#include <omp.h>
#include <string.h>

static int compare_items(const void *a, const void *b) {
    const uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

/* The items of a history that are candidates, each once, rising; to be freed. */
static uint32_t *distinct_items(Sequence history, uint32_t candidate_count, size_t *count) {
    uint32_t *items = memory_need(history.count, sizeof *items);
    if (history.count) memcpy(items, history.items, history.count * sizeof *items);
    qsort(items, history.count, sizeof *items, compare_items);
    *count = 0;
    for (size_t i = 0; i < history.count && items[i] <= candidate_count; i++)
        if (!*count || items[i] != items[*count - 1]) items[(*count)++] = items[i];
    return items;
}

typedef struct Standing {
    uint32_t higher, equal, unordered;
} Standing;

/* One pass that the compiler vectorises; masking comes afterwards, as a correction. */
static Standing compare_all(const float *scores, uint32_t candidate_count, float target) {
    uint32_t higher = 0, equal = 0, unordered = 0;
    for (size_t i = 1; i <= candidate_count; i++) {
        higher += scores[i] > target;
        equal += scores[i] == target;
        unordered += scores[i] != scores[i];
    }
    return (Standing){higher, equal, unordered};
}

static bool refuse_nan(const float *scores, uint32_t candidate_count, Error *error) {
    uint32_t item = 1;
    while (item < candidate_count && !isnan(scores[item]))
        item++;
    return error_set(error, "the score of item number %u is not a number; was the model trained to the end?",
                     item);
}

bool rank_target(const float *scores, uint32_t candidate_count, uint32_t target, Sequence history,
                 double *rank, Error *error) {
    size_t masked_count;
    uint32_t *masked = distinct_items(history, candidate_count, &masked_count);
    const bool is_masked = bsearch(&target, masked, masked_count, sizeof *masked, compare_items);
    const float score = is_masked ? -INFINITY : scores[target];
    Standing standing = compare_all(scores, candidate_count, score);
    for (size_t i = 0; i < masked_count; i++) {
        standing.higher -= scores[masked[i]] > score;
        standing.equal -= scores[masked[i]] == score;
        standing.equal += score == -INFINITY;
    }
    free(masked);
    if (standing.unordered) return refuse_nan(scores, candidate_count, error);
    *rank = 1.0 + standing.higher + (standing.equal - 1) / 2.0; /* the target equals itself */
    return true;
}

/* Of the errors of several threads the first user's, whichever came first. */
typedef struct FirstError {
    size_t user;
    Error error;
} FirstError;

static void rank_user(const Behaviours *behaviours, Split split, size_t user, const float *scores,
                      uint32_t candidate_count, double *rank, FirstError *first) {
    Error error;
    if (rank_target(scores, candidate_count, split_target(behaviours, split, user),
                    split_history(behaviours, split, user), rank, &error))
        return;
    error_prefix(&error, "user \"%s\": ", behaviours_user_name(behaviours, user, NULL));
#pragma omp critical(first_ranking_error)
    if (user < first->user) *first = (FirstError){user, error};
}

static bool report_first(const FirstError *first, Error *error) {
    if (first->user == SIZE_MAX) return true;
    *error = first->error;
    return false;
}

bool rank_rows(const Behaviours *behaviours, Split split, size_t first, size_t count, const float *scores,
               size_t stride, uint32_t candidate_count, double *ranks, Error *error) {
    FirstError failed = {.user = SIZE_MAX};
#pragma omp parallel for
    for (size_t i = 0; i < count; i++)
        rank_user(behaviours, split, first + i, scores + i * stride, candidate_count, &ranks[i], &failed);
    return report_first(&failed, error);
}

bool rank_users(const Behaviours *behaviours, Split split, uint32_t candidate_count, ScoreUser score,
                const void *context, double *ranks, Error *error) {
    const size_t stride = (size_t)candidate_count + 1;
    float *scores = memory_allocate((size_t)parallel_threads(), stride * sizeof *scores, error);
    if (!scores) return false;
    FirstError failed = {.user = SIZE_MAX};
#pragma omp parallel for schedule(dynamic, 16)
    for (size_t user = 0; user < behaviours->user_count; user++) {
        float *row = scores + (size_t)omp_get_thread_num() * stride;
        score(context, user, candidate_count, row);
        rank_user(behaviours, split, user, row, candidate_count, &ranks[user], &failed);
    }
    free(scores);
    return report_first(&failed, error);
}

#include "eval/ranking.h"

#include "core/memory.h"
#include "core/parallel.h"
#include "nn/backend/backend.h"

#include <math.h>
#include <omp.h>
#include <string.h>

static int compare_items(const void *a, const void *b) {
    const uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

size_t distinct_items(Sequence history, uint32_t candidate_count, uint32_t *items) {
    size_t count = 0;
    if (history.count) memcpy(items, history.items, history.count * sizeof *items);
    qsort(items, history.count, sizeof *items, compare_items);
    for (size_t i = 0; i < history.count && items[i] <= candidate_count; i++)
        if (!count || items[i] != items[count - 1]) items[count++] = items[i];
    return count;
}

const uint32_t *find_item(uint32_t item, const uint32_t *items, size_t count) {
    return count ? bsearch(&item, items, count, sizeof *items, compare_items) : NULL;
}

bool standing_rank(const Standing *standing, double *rank, Error *error) {
    if (standing->bad)
        return error_set(error,
                         "the score of item number %u is not a number; was the model trained to the end?",
                         standing->bad);
    *rank = 1.0 + standing->higher + (standing->equal - 1) / 2.0; /* the target equals itself */
    return true;
}

bool rank_target(const float *scores, uint32_t candidate_count, uint32_t target, Sequence history,
                 double *rank, Error *error) {
    uint32_t *masked = memory_need(history.count, sizeof *masked);
    const size_t offsets[2] = {0, distinct_items(history, candidate_count, masked)};
    const ScoreTile tile = {.rows = 1,
                            .count = candidate_count,
                            .first = 1,
                            .scores = scores + 1,
                            .masked_offsets = offsets,
                            .masked = masked};
    const float score = is_masked(target, masked, offsets[1]) ? -INFINITY : scores[target];
    Standing standing = {0};
    backend_cpu.scores->add_standings(&tile, &score, &standing);
    free(masked);
    return standing_rank(&standing, rank, error);
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

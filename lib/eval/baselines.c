#include "eval/baselines.h"

#include "core/memory.h"
#include "core/parallel.h"

#include <math.h>
#include <omp.h>
#include <string.h>

static const double AGE_DECAY = 0.8;

/* The split whose rows are known when `split` is predicted. */
static Split learned_from(Split split) {
    return split == SPLIT_NEXT ? SPLIT_NEXT : SPLIT_TRAIN;
}

/* Where each item occurs in the training rows, and the end of the row there. */
typedef struct Occurrence {
    size_t place, row_end; /* in the sequences */
} Occurrence;

typedef struct OccurrenceIndex {
    const Behaviours *behaviours;
    uint32_t *counts;        /* [known_count + 1] */
    size_t *offsets;         /* [item_count + 2] */
    Occurrence *occurrences; /* of item i: offsets[i] … offsets[i + 1] − 1, in the order of the users */
} OccurrenceIndex;

static void index_free(OccurrenceIndex *index) {
    free(index->counts);
    free(index->offsets);
    free(index->occurrences);
}

/* On failure, what is there is left for index_free. */
static bool index_build(OccurrenceIndex *index, const Behaviours *behaviours, Split learned, Error *error) {
    const size_t item_count = behaviours->item_count;
    *index = (OccurrenceIndex){.behaviours = behaviours};
    if (!(index->counts = split_item_counts(behaviours, learned, error))) return false;
    if (!(index->offsets = memory_allocate(item_count + 2, sizeof *index->offsets, error))) return false;
    for (size_t i = 1; i <= item_count; i++)
        index->offsets[i + 1] = index->offsets[i] + index->counts[i];
    index->occurrences = memory_allocate(index->offsets[item_count + 1], sizeof *index->occurrences, error);
    if (!index->occurrences) return false;
    for (size_t user = 0; user < behaviours->user_count; user++) {
        const Sequence row = split_row(behaviours, learned, user);
        const size_t start = behaviours->offsets[user];
        for (size_t i = 0; i < row.count; i++)
            index->occurrences[index->offsets[row.items[i]]++] =
                (Occurrence){.place = start + i, .row_end = start + row.count};
    }
    /* Filling moved each offset to where the next item begins. */
    memmove(index->offsets + 1, index->offsets, (item_count + 1) * sizeof *index->offsets);
    index->offsets[0] = 0;
    return true;
}

/* A row of sums over all items, of which only those stamped with the current item are valid. */
typedef struct DenseRow {
    double *sums;     /* [item_count + 1] */
    uint32_t *stamps; /* [item_count + 1] */
} DenseRow;

/* Sums 1/distance for all later items of `item`; returns how many there are, and lists them in `later` unless
 * it is NULL. */
static size_t sum_later(const OccurrenceIndex *index, uint32_t item, DenseRow *row, uint32_t *later) {
    const uint32_t *sequences = index->behaviours->sequences;
    size_t count = 0;
    for (size_t n = index->offsets[item]; n < index->offsets[item + 1]; n++) {
        const Occurrence at = index->occurrences[n];
        for (size_t place = at.place + 1; place < at.row_end; place++) {
            const uint32_t other = sequences[place];
            if (row->stamps[other] != item) {
                row->stamps[other] = item;
                row->sums[other] = 0;
                if (later) later[count] = other;
                count++;
            }
            row->sums[other] += 1.0 / (double)(place - at.place);
        }
    }
    return count;
}

static void fill_row(const OccurrenceIndex *index, uint32_t item, DenseRow *row, CoOccurrence *pairs) {
    const size_t start = pairs->offsets[item];
    const size_t count = sum_later(index, item, row, pairs->items + start);
    for (size_t n = start; n < start + count; n++) {
        const uint32_t other = pairs->items[n];
        pairs->weights[n] = (float)(row->sums[other] / sqrt((double)index->counts[other]));
    }
}

/* Two passes over the same pairs: the first counts them, so that the second fills arrays of just that size.
 */
static bool build_rows(CoOccurrence *pairs, const OccurrenceIndex *index, DenseRow *rows, Error *error) {
    const uint32_t item_count = pairs->item_count;
#pragma omp parallel for schedule(dynamic, 16)
    for (uint32_t item = 1; item <= item_count; item++)
        pairs->offsets[item + 1] = sum_later(index, item, &rows[omp_get_thread_num()], NULL);
    for (uint32_t item = 1; item <= item_count; item++)
        pairs->offsets[item + 1] += pairs->offsets[item];
    const size_t count = pairs->offsets[item_count + 1];
    if (!(pairs->items = memory_allocate(count, sizeof *pairs->items, error))) return false;
    if (!(pairs->weights = memory_allocate(count, sizeof *pairs->weights, error))) return false;
    for (int thread = 0; thread < parallel_threads(); thread++)
        memset(rows[thread].stamps, 0, ((size_t)item_count + 1) * sizeof *rows[thread].stamps);
#pragma omp parallel for schedule(dynamic, 16)
    for (uint32_t item = 1; item <= item_count; item++)
        fill_row(index, item, &rows[omp_get_thread_num()], pairs);
    return true;
}

static void dense_rows_free(DenseRow *rows) {
    for (int thread = 0; rows && thread < parallel_threads(); thread++) {
        free(rows[thread].sums);
        free(rows[thread].stamps);
    }
    free(rows);
}

/* One for each thread. */
static DenseRow *dense_rows_create(size_t item_count, Error *error) {
    DenseRow *rows = memory_need((size_t)parallel_threads(), sizeof *rows);
    for (int thread = 0; thread < parallel_threads(); thread++) {
        rows[thread].sums = memory_allocate(item_count + 1, sizeof *rows->sums, error);
        rows[thread].stamps = memory_allocate(item_count + 1, sizeof *rows->stamps, error);
        if (rows[thread].sums && rows[thread].stamps) continue;
        dense_rows_free(rows);
        return NULL;
    }
    return rows;
}

bool co_occurrence_build(CoOccurrence *pairs, const Behaviours *behaviours, Split learned, Error *error) {
    *pairs = (CoOccurrence){.item_count = behaviours->item_count};
    pairs->offsets = memory_allocate((size_t)pairs->item_count + 2, sizeof *pairs->offsets, error);
    DenseRow *rows = pairs->offsets ? dense_rows_create(pairs->item_count, error) : NULL;
    OccurrenceIndex index = {0};
    const bool fine =
        rows && index_build(&index, behaviours, learned, error) && build_rows(pairs, &index, rows, error);
    index_free(&index);
    dense_rows_free(rows);
    if (!fine) co_occurrence_free(pairs);
    return fine;
}

void co_occurrence_free(CoOccurrence *pairs) {
    free(pairs->offsets);
    free(pairs->items);
    free(pairs->weights);
    *pairs = (CoOccurrence){0};
}

void co_occurrence_score(const CoOccurrence *pairs, Sequence input, uint32_t candidate_count, float *scores) {
    memset(scores, 0, ((size_t)candidate_count + 1) * sizeof *scores);
    float weight = 1;
    for (size_t i = input.count; i-- > 0; weight *= (float)AGE_DECAY) {
        const uint32_t item = input.items[i];
        for (size_t n = pairs->offsets[item]; n < pairs->offsets[item + 1]; n++)
            scores[pairs->items[n]] += weight * pairs->weights[n];
    }
}

struct Baseline {
    const Behaviours *behaviours;
    Split split;
    uint32_t *counts;   /* popularity's */
    CoOccurrence pairs; /* co-occurrence's */
    ScoreUser score;
};

static void score_by_popularity(const void *context, size_t user, uint32_t candidate_count, float *scores) {
    (void)user;
    const Baseline *baseline = context;
    for (size_t i = 1; i <= candidate_count; i++)
        scores[i] = (float)baseline->counts[i];
}

static void score_by_co_occurrence(const void *context, size_t user, uint32_t candidate_count,
                                   float *scores) {
    const Baseline *baseline = context;
    const Sequence input = split_input(baseline->behaviours, baseline->split, user);
    co_occurrence_score(&baseline->pairs, input, candidate_count, scores);
}

static bool fill(Baseline *baseline, const char *name, Error *error) {
    const Behaviours *behaviours = baseline->behaviours;
    const Split learned = learned_from(baseline->split);
    if (!strcmp(name, "popularity")) {
        baseline->score = score_by_popularity;
        return (baseline->counts = split_item_counts(behaviours, learned, error)) != NULL;
    }
    baseline->score = score_by_co_occurrence;
    if (!strcmp(name, "co-occurrence"))
        return co_occurrence_build(&baseline->pairs, behaviours, learned, error);
    return error_set(error, "no baseline is called \"%s\"; there are " BASELINE_NAMES, name);
}

Baseline *baseline_create(const char *name, const Behaviours *behaviours, Split split, Error *error) {
    Baseline *baseline = memory_need(1, sizeof *baseline);
    *baseline = (Baseline){.behaviours = behaviours, .split = split};
    if (fill(baseline, name, error)) return baseline;
    baseline_destroy(baseline);
    return NULL;
}

void baseline_destroy(Baseline *baseline) {
    if (!baseline) return;
    free(baseline->counts);
    co_occurrence_free(&baseline->pairs);
    free(baseline);
}

void baseline_score(const Baseline *baseline, size_t user, uint32_t candidate_count, float *scores) {
    baseline->score(baseline, user, candidate_count, scores);
}

bool baseline_ranks(const char *name, const Behaviours *behaviours, Split split, uint32_t candidate_count,
                    double *ranks, Error *error) {
    Baseline *baseline = baseline_create(name, behaviours, split, error);
    if (!baseline) return false;
    const bool fine = rank_users(behaviours, split, candidate_count, baseline->score, baseline, ranks, error);
    baseline_destroy(baseline);
    return fine;
}

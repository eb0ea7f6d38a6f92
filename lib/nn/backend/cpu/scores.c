#include "nn/backend/cpu/kernels.h"

#include <math.h>

static void find_targets(const ScoreTile *tile, float *to) {
    for (size_t i = 0; i < tile->rows; i++) {
        const uint32_t column = tile->targets[i] - tile->first;
        if (column < tile->count) to[i] = tile->scores[i * tile->count + column];
    }
}

/* The first of a row's masked candidates that is not before the tile. */
static size_t first_masked(const ScoreTile *tile, size_t row) {
    size_t low = tile->masked_offsets[row], high = tile->masked_offsets[row + 1];
    while (low < high) {
        const size_t middle = (low + high) / 2;
        if (tile->masked[middle] < tile->first)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static size_t first_bad(const float *scores) {
    size_t i = 0;
    while (!isnan(scores[i]))
        i++;
    return i;
}

/* One pass that the compiler vectorises; masking comes afterwards, as a correction. */
static void add_standing(const ScoreTile *tile, size_t row, float target, Standing *standing) {
    const float *scores = tile->scores + row * tile->count;
    uint32_t higher = 0, equal = 0, unordered = 0;
#pragma omp simd reduction(+ : higher, equal, unordered)
    for (size_t c = 0; c < tile->count; c++) {
        higher += scores[c] > target;
        equal += scores[c] == target;
        unordered += scores[c] != scores[c];
    }
    for (size_t k = first_masked(tile, row); k < tile->masked_offsets[row + 1]; k++) {
        const uint32_t column = tile->masked[k] - tile->first;
        if (column >= tile->count) break;
        higher -= scores[column] > target;
        equal -= scores[column] == target;
        equal += target == -INFINITY;
    }
    standing->higher += higher;
    standing->equal += equal;
    if (unordered && !standing->bad) standing->bad = tile->first + (uint32_t)first_bad(scores);
}

static void add_standings(const ScoreTile *tile, const float *target_scores, Standing *standings) {
#pragma omp parallel for schedule(dynamic, 8) if (tile->rows * tile->count > PARALLEL_ELEMENTS)
    for (size_t i = 0; i < tile->rows; i++)
        add_standing(tile, i, target_scores[i], &standings[i]);
}

const ScoreKernels cpu_scores = {.find_targets = find_targets, .add_standings = add_standings};

#include "nn/backend/cpu/kernels.h"

static void pick(size_t count, const float *from, const size_t *places, float *to) {
    for (size_t i = 0; i < count; i++)
        to[i] = from[places[i]];
}

static void compare(size_t rows, size_t count, const float *scores, size_t stride, const float *targets,
                    ScoreCounts *counts) {
#pragma omp parallel for schedule(static) if (rows * count > PARALLEL_ELEMENTS)
    for (size_t i = 0; i < rows; i++) {
        const float *row = scores + i * stride, target = targets[i];
        uint32_t higher = 0, equal = 0, unordered = 0;
#pragma omp simd reduction(+ : higher, equal, unordered)
        for (size_t c = 0; c < count; c++) {
            higher += row[c] > target;
            equal += row[c] == target;
            unordered += row[c] != row[c];
        }
        counts[i].higher += higher;
        counts[i].equal += equal;
        counts[i].unordered += unordered;
    }
}

const ScoreKernels cpu_scores = {pick, compare};

#include "nn/backend/cpu/kernels.h"

#include <math.h>

static void adamw(const AdamW *step) {
    const float factor = *step->factor, beta1 = step->beta1, rest1 = step->rest1, beta2 = step->beta2;
    const float rest2 = step->rest2, epsilon = step->epsilon, keep = step->keep, root = step->root;
    const float step_size = step->step_size;
    float *restrict value = step->value, *restrict first = step->first, *restrict second = step->second;
    const float *restrict gradient = step->gradient;
#pragma omp parallel for simd schedule(static) if (step->count > PARALLEL_ELEMENTS)
    for (size_t i = 0; i < step->count; i++) {
        const float g = gradient[i] * factor;
        first[i] = beta1 * first[i] + rest1 * g;
        second[i] = beta2 * second[i] + rest2 * g * g;
        value[i] = keep * value[i] - step_size * first[i] / (sqrtf(second[i]) * root + epsilon);
    }
}

static void sum_of_squares(size_t count, const float *values, double *total, Arena *scratch) {
    const size_t pieces = (count + PARALLEL_ELEMENTS - 1) / PARALLEL_ELEMENTS;
    const ArenaMark mark = arena_mark(scratch);
    double *sums = arena_take(scratch, pieces, sizeof *sums);
#pragma omp parallel for schedule(static) if (pieces > 1)
    for (size_t piece = 0; piece < pieces; piece++) {
        const size_t end = smaller((piece + 1) * PARALLEL_ELEMENTS, count);
        double sum = 0;
#pragma omp simd reduction(+ : sum)
        for (size_t i = piece * PARALLEL_ELEMENTS; i < end; i++)
            sum += (double)values[i] * values[i];
        sums[piece] = sum;
    }
    for (size_t piece = 0; piece < pieces; piece++)
        *total += sums[piece];
    arena_rewind(scratch, mark);
}

static void clip(const double *total, double scale, double clip_at, float *factor) {
    const double norm = sqrt(*total) * scale;
    *factor = (float)(clip_at > 0 && norm > clip_at ? scale * (clip_at / norm) : scale);
}

const OptimizerKernels cpu_optimizer = {adamw, sum_of_squares, clip};

#include "nn/backend/cpu/kernels.h"

#include <math.h>

static inline void move(const AdamW *step, float factor, size_t first_value, size_t end) {
    const float beta1 = step->beta1, rest1 = step->rest1, beta2 = step->beta2, rest2 = step->rest2;
    const float epsilon = step->epsilon, keep = step->keep, root = step->root, step_size = step->step_size;
    float *restrict value = step->value, *restrict first = step->first, *restrict second = step->second;
    const float *restrict gradient = step->gradient;
#pragma omp simd
    for (size_t i = first_value; i < end; i++) {
        const float g = gradient[i] * factor;
        first[i] = beta1 * first[i] + rest1 * g;
        second[i] = beta2 * second[i] + rest2 * g * g;
        value[i] = keep * value[i] - step_size * first[i] / (sqrtf(second[i]) * root + epsilon);
    }
}

static void move_all(const AdamW *step) {
    enum { PIECE = 4096 };
    const float factor = *step->factor;
    if (isnan(factor)) return;
    const size_t columns = step->rows ? step->columns : PIECE;
#pragma omp parallel for schedule(static) if (step->count > PARALLEL_ELEMENTS)
    for (size_t first = 0; first < step->count; first += columns) {
        const size_t start = step->rows ? step->rows[first / columns] * columns : first;
        move(step, factor, start, start + smaller(columns, step->count - first));
    }
}

static void adamw(size_t count, const AdamW *steps) {
    for (size_t i = 0; i < count; i++)
        move_all(&steps[i]);
}

static void catch_up_row(const AdamW *step, const OwedMoves *owed, size_t start) {
    float *restrict value = step->value + start, *restrict first = step->first + start;
    float *restrict second = step->second + start;
    const float epsilon = step->epsilon, root = step->root;
#pragma omp simd
    for (size_t j = 0; j < step->columns; j++) {
        value[j] = owed->keep * value[j] - owed->step_size * first[j] / (sqrtf(second[j]) * root + epsilon);
        first[j] *= owed->first;
        second[j] *= owed->second;
    }
}

static void catch_up(const AdamW *step, const OwedMoves *owed) {
    const size_t rows = step->columns ? step->count / step->columns : 0;
#pragma omp parallel for schedule(static) if (step->count > PARALLEL_ELEMENTS)
    for (size_t i = 0; i < rows; i++)
        catch_up_row(step, &owed[i], (step->rows ? step->rows[i] : i) * step->columns);
}

static void add_squares(size_t count, const float *values, double *total, Arena *scratch) {
    const size_t pieces = shares(count, PARALLEL_ELEMENTS);
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

static void sum_of_squares(size_t count, const FloatArray *arrays, double *total, Arena *scratch) {
    *total = 0;
    for (size_t i = 0; i < count; i++)
        add_squares(arrays[i].count, arrays[i].values, total, scratch);
}

static void clip(const double *total, double scale, double clip_at, float *factor) {
    const double norm = sqrt(*total) * scale;
    *factor = !isfinite(norm)                 ? NAN
              : clip_at > 0 && norm > clip_at ? (float)(scale * (clip_at / norm))
                                              : (float)scale;
}

const OptimizerKernels cpu_optimizer = {adamw, catch_up, sum_of_squares, clip};

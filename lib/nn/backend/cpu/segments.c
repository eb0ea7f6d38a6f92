#include "nn/backend/cpu/kernels.h"

#include <string.h>

/* Of segment i, in a part of a join: its first row and its number of rows. */
typedef struct Extent {
    size_t first, rows;
} Extent;

static inline Extent extent_of(const size_t *offsets, size_t i) {
    return (Extent){offsets[i], offsets[i + 1] - offsets[i]};
}

/* One row that stands before each segment is a segment of one row, always the same. */
static inline Extent extent_before(const size_t *offsets, size_t i) {
    return offsets ? extent_of(offsets, i) : (Extent){0, 1};
}

static inline size_t start_of_joined(const size_t *a_offsets, const size_t *b_offsets, size_t i) {
    return (a_offsets ? a_offsets[i] : i) + b_offsets[i];
}

static void join(size_t segments, size_t rows, size_t columns, const float *a, const size_t *a_offsets,
                 const float *b, const size_t *b_offsets, float *y) {
#pragma omp parallel for schedule(static) if (rows * columns > PARALLEL_ELEMENTS)
    for (size_t i = 0; i < segments; i++) {
        const Extent before = extent_before(a_offsets, i), behind = extent_of(b_offsets, i);
        float *to = y + start_of_joined(a_offsets, b_offsets, i) * columns;
        copy_rows(before.rows, columns, a + before.first * columns, to);
        copy_rows(behind.rows, columns, b + behind.first * columns, to + before.rows * columns);
    }
}

static void join_backward(size_t segments, size_t rows, size_t columns, const float *dy,
                          const size_t *a_offsets, const size_t *b_offsets, float *da, float *db) {
#pragma omp parallel for schedule(static) if (rows * columns > PARALLEL_ELEMENTS)
    for (size_t i = 0; i < segments; i++) {
        const Extent before = extent_before(a_offsets, i), behind = extent_of(b_offsets, i);
        const float *from = dy + start_of_joined(a_offsets, b_offsets, i) * columns;
        if (da) add_row(before.rows * columns, from, da + before.first * columns);
        if (db) add_row(behind.rows * columns, from + before.rows * columns, db + behind.first * columns);
    }
}

static void mean(size_t segments, size_t rows, size_t columns, const float *x, const size_t *offsets,
                 float *y) {
#pragma omp parallel for schedule(static) if (rows * columns > PARALLEL_ELEMENTS)
    for (size_t i = 0; i < segments; i++) {
        const Extent extent = extent_of(offsets, i);
        float *to = y + i * columns;
        memset(to, 0, columns * sizeof *to);
        for (size_t t = 0; t < extent.rows; t++)
            add_row(columns, x + (extent.first + t) * columns, to);
        for (size_t j = 0; extent.rows && j < columns; j++)
            to[j] /= (float)extent.rows;
    }
}

static void mean_backward(size_t segments, size_t rows, size_t columns, const float *dy,
                          const size_t *offsets, float *dx) {
#pragma omp parallel for schedule(static) if (rows * columns > PARALLEL_ELEMENTS)
    for (size_t i = 0; i < segments; i++) {
        const Extent extent = extent_of(offsets, i);
        const float factor = 1.0f / (float)extent.rows, *from = dy + i * columns;
        for (size_t t = 0; t < extent.rows; t++)
            for (size_t j = 0; j < columns; j++)
                dx[(extent.first + t) * columns + j] += factor * from[j];
    }
}

static void first(size_t segments, size_t columns, const float *x, const size_t *offsets, float *y) {
#pragma omp parallel for schedule(static) if (segments * columns > PARALLEL_ELEMENTS)
    for (size_t i = 0; i < segments; i++) {
        const Extent extent = extent_of(offsets, i);
        if (extent.rows)
            copy_rows(1, columns, x + extent.first * columns, y + i * columns);
        else
            memset(y + i * columns, 0, columns * sizeof *y);
    }
}

static void first_backward(size_t segments, size_t columns, const float *dy, const size_t *offsets,
                           float *dx) {
#pragma omp parallel for schedule(static) if (segments * columns > PARALLEL_ELEMENTS)
    for (size_t i = 0; i < segments; i++) {
        const Extent extent = extent_of(offsets, i);
        if (extent.rows) add_row(columns, dy + i * columns, dx + extent.first * columns);
    }
}

const SegmentKernels cpu_segments = {
    .join = join,
    .join_backward = join_backward,
    .mean = mean,
    .mean_backward = mean_backward,
    .first = first,
    .first_backward = first_backward,
};

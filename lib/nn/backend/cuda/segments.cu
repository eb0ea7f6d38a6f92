#include "device.h"
#include "table.h"

/* A block for each segment, since what is done to one is done to consecutive memory. */

/* The first row of segment i in a, and in what a and b were joined to. */
static __device__ inline size_t first_of(const size_t *offsets, size_t i) {
    return offsets ? offsets[i] : i;
}

static void join(size_t segments, size_t, size_t columns, const float *a, const size_t *a_offsets,
                 const float *b, const size_t *b_offsets, float *y) {
    each_block(segments, [=] __device__(size_t i) {
        const size_t a_first = first_of(a_offsets, i), b_first = b_offsets[i];
        const size_t a_count = (first_of(a_offsets, i + 1) - a_first) * columns;
        const size_t b_count = (b_offsets[i + 1] - b_first) * columns;
        const float *a_from = a_offsets ? a + a_first * columns : a, *b_from = b + b_first * columns;
        float *to = y + (a_first + b_first) * columns;
        for (size_t j = threadIdx.x; j < a_count; j += BLOCK)
            to[j] = a_from[j];
        for (size_t j = threadIdx.x; j < b_count; j += BLOCK)
            to[a_count + j] = b_from[j];
    });
}

static void join_backward(size_t segments, size_t, size_t columns, const float *dy, const size_t *a_offsets,
                          const size_t *b_offsets, float *da, float *db) {
    each_block(segments, [=] __device__(size_t i) {
        const size_t a_first = first_of(a_offsets, i), b_first = b_offsets[i];
        const size_t a_count = (first_of(a_offsets, i + 1) - a_first) * columns;
        const size_t b_count = (b_offsets[i + 1] - b_first) * columns;
        const float *from = dy + (a_first + b_first) * columns;
        for (size_t j = threadIdx.x; da && j < a_count; j += BLOCK)
            da[a_first * columns + j] += from[j];
        for (size_t j = threadIdx.x; db && j < b_count; j += BLOCK)
            db[b_first * columns + j] += from[a_count + j];
    });
}

static void mean(size_t segments, size_t, size_t columns, const float *x, const size_t *offsets, float *y) {
    each_cell(segments, columns, [=] __device__(size_t i, size_t j) {
        const size_t length = offsets[i + 1] - offsets[i];
        float sum = 0;
        for (size_t t = offsets[i]; t < offsets[i + 1]; t++)
            sum += x[t * columns + j];
        y[i * columns + j] = length ? sum / static_cast<float>(length) : 0;
    });
}

static void mean_backward(size_t segments, size_t, size_t columns, const float *dy, const size_t *offsets,
                          float *dx) {
    each_cell(segments, columns, [=] __device__(size_t i, size_t j) {
        const float share = 1.0f / static_cast<float>(offsets[i + 1] - offsets[i]) * dy[i * columns + j];
        for (size_t t = offsets[i]; t < offsets[i + 1]; t++)
            dx[t * columns + j] += share;
    });
}

static void first(size_t segments, size_t columns, const float *x, const size_t *offsets, float *y) {
    each_cell(segments, columns, [=] __device__(size_t i, size_t j) {
        y[i * columns + j] = offsets[i] < offsets[i + 1] ? x[offsets[i] * columns + j] : 0;
    });
}

static void first_backward(size_t segments, size_t columns, const float *dy, const size_t *offsets,
                           float *dx) {
    each_cell(segments, columns, [=] __device__(size_t i, size_t j) {
        if (offsets[i] < offsets[i + 1]) dx[offsets[i] * columns + j] += dy[i * columns + j];
    });
}

const SegmentKernels cuda_segments = {join, join_backward, mean, mean_backward, first, first_backward};

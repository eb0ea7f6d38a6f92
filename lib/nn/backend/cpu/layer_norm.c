#include "nn/backend/cpu/kernels.h"
#include "nn/backend/cpu/rounding.h"

#include <math.h>
#include <string.h>

/* to = residual + dropout(x), of row i. */
static void add_residual_row(const LayerNormForward *norm, size_t i, float *to) {
    const size_t columns = norm->columns;
    const float *x = norm->x + i * columns, *residual = norm->residual + i * columns;
    if (dropout_drops(norm->dropout)) {
#pragma omp simd
        for (size_t j = 0; j < columns; j++)
            to[j] = residual[j] + x[j] * dropout_factor(norm->dropout, i * columns + j);
    } else {
#pragma omp simd
        for (size_t j = 0; j < columns; j++)
            to[j] = residual[j] + x[j];
    }
}

static void forward_row(const LayerNormForward *norm, size_t i) {
    const size_t columns = norm->columns;
    float *y = norm->y + i * columns, *n = norm->n ? norm->n + i * columns : y;
    const float *sum = norm->x + i * columns, *weight = norm->weight, *bias = norm->bias;
    float total = 0, squares = 0;
    if (norm->residual) {
        add_residual_row(norm, i, n);
        sum = n;
    }
#pragma omp simd reduction(+ : total)
    for (size_t j = 0; j < columns; j++)
        total += sum[j];
    const float mean = total / (float)columns;
#pragma omp simd reduction(+ : squares)
    for (size_t j = 0; j < columns; j++)
        squares += (sum[j] - mean) * (sum[j] - mean);
    const float inverse = 1.0f / sqrtf(squares / (float)columns + norm->epsilon);
    if (norm->inverse) norm->inverse[i] = inverse;
#pragma omp simd
    for (size_t j = 0; j < columns; j++) {
        const float value = (sum[j] - mean) * inverse;
        n[j] = value;
        y[j] = value * weight[j] + bias[j];
    }
    if (norm->rounded) round_row(columns, y, norm->rounded + i * columns);
}

static void forward(const LayerNormForward *norm) {
#pragma omp parallel for schedule(static) if (norm->rows * norm->columns > PARALLEL_ELEMENTS)
    for (size_t i = 0; i < norm->rows; i++)
        forward_row(norm, i);
}

enum { BLOCK_ROWS = 64 }; /* sums are taken by blocks, so that they are the same on any threads */

/* Of a row: the means of g and of g·n, where g = dy·weight. */
typedef struct RowMeans {
    float g, gn;
} RowMeans;

/* to = gradient, or to += gradient; with `drops` after dropout. The last two are constants where it is
 * called, so that each case is a loop of its own. */
static inline __attribute__((always_inline)) void put_row(const LayerNormBackward *norm, size_t i,
                                                          RowMeans mean, float *to, bool adds, bool drops) {
    const size_t columns = norm->columns;
    const float *dy = norm->dy + i * columns, *n = norm->n + i * columns;
    const float *weight = norm->weight, inverse = norm->inverse[i];
#pragma omp simd
    for (size_t j = 0; j < columns; j++) {
        float gradient = (dy[j] * weight[j] - mean.g - n[j] * mean.gn) * inverse;
        if (drops) gradient *= dropout_factor(norm->dropout, i * columns + j);
        to[j] = adds ? to[j] + gradient : gradient;
    }
}

static void put_gradient(const LayerNormBackward *norm, size_t i, RowMeans mean, float *to, bool adds,
                         bool drops) {
    to += i * norm->columns;
    if (drops && adds)
        put_row(norm, i, mean, to, true, true);
    else if (drops)
        put_row(norm, i, mean, to, false, true);
    else if (adds)
        put_row(norm, i, mean, to, true, false);
    else
        put_row(norm, i, mean, to, false, false);
}

/* The gradient of a row's sum is (g − mean(g) − n·mean(g·n)) · inverse. `sums` are the block's of the bias,
 * then those of the weight. */
static void backward_block(const LayerNormBackward *norm, size_t block, float *sums) {
    const size_t columns = norm->columns, first = block * BLOCK_ROWS;
    const size_t end = smaller(first + BLOCK_ROWS, norm->rows);
    float *bias_sums = sums, *weight_sums = sums + columns;
    const float *weight = norm->weight;
    memset(sums, 0, 2 * columns * sizeof *sums);
    for (size_t i = first; i < end; i++) {
        const float *dy = norm->dy + i * columns, *n = norm->n + i * columns;
        float total = 0, product = 0;
#pragma omp simd reduction(+ : total, product)
        for (size_t j = 0; j < columns; j++) {
            const float term = dy[j] * n[j];
            total += dy[j] * weight[j];
            product += term * weight[j];
            bias_sums[j] += dy[j];
            weight_sums[j] += term;
        }
        const RowMeans mean = {total / (float)columns, product / (float)columns};
        if (norm->dresidual) put_gradient(norm, i, mean, norm->dresidual, norm->residual_adds, false);
        if (norm->dx) put_gradient(norm, i, mean, norm->dx, norm->x_adds, dropout_drops(norm->dropout));
    }
}

static void backward(const LayerNormBackward *norm, Arena *scratch) {
    const size_t columns = norm->columns, blocks = shares(norm->rows, BLOCK_ROWS);
    const ArenaMark mark = arena_mark(scratch);
    float *sums = arena_take(scratch, 2 * blocks * columns, sizeof *sums);
#pragma omp parallel for schedule(static) if (norm->rows * columns > PARALLEL_ELEMENTS)
    for (size_t block = 0; block < blocks; block++)
        backward_block(norm, block, sums + 2 * block * columns);
    for (size_t block = 0; block < blocks; block++) {
        const float *of_block = sums + 2 * block * columns;
        if (norm->bias_gradient) add_row(columns, of_block, norm->bias_gradient);
        if (norm->weight_gradient) add_row(columns, of_block + columns, norm->weight_gradient);
    }
    arena_rewind(scratch, mark);
}

const LayerNormKernels cpu_layer_norm = {forward, backward};

#include "nn/dropout.h"
#include "nn/operators/kernels.h"
#include "nn/operators/operators.h"
#include "nn/rounding.h"

#include <math.h>

typedef struct LayerNorm {
    Tensor *residual, *x, *y; /* residual is NULL for the plain layer norm */
    Parameter *weight, *bias;
    float *normalised; /* [rows, columns]: (sum − mean) / deviation; NULL without backward */
    float *inverse;    /* by row: 1 / deviation; NULL without backward */
    bool drops;
    Dropout dropout;
} LayerNorm;

/* to = residual + dropout(x), of row i. */
static void add_residual_row(const LayerNorm *norm, size_t i, float *to) {
    const size_t columns = norm->x->columns;
    const float *x = norm->x->value + i * columns;
    const float *residual = norm->residual->value + i * columns;
    if (norm->drops) {
#pragma omp simd
        for (size_t j = 0; j < columns; j++)
            to[j] = residual[j] + x[j] * dropout_factor(norm->dropout, i * columns + j);
    } else {
#pragma omp simd
        for (size_t j = 0; j < columns; j++)
            to[j] = residual[j] + x[j];
    }
}

static void layer_norm_forward(const LayerNorm *norm, double epsilon) {
    const size_t columns = norm->x->columns;
    const float *weight = norm->weight->value, *bias = norm->bias->value;
#pragma omp parallel for schedule(static) if (norm->x->rows * columns > PARALLEL_ELEMENTS)
    for (size_t i = 0; i < norm->x->rows; i++) {
        float *y = norm->y->value + i * columns;
        float *normalised = norm->normalised ? norm->normalised + i * columns : y;
        const float *sum = norm->x->value + i * columns;
        if (norm->residual) {
            add_residual_row(norm, i, normalised);
            sum = normalised;
        }
        float total = 0, squares = 0;
#pragma omp simd reduction(+ : total)
        for (size_t j = 0; j < columns; j++)
            total += sum[j];
        const float mean = total / (float)columns;
#pragma omp simd reduction(+ : squares)
        for (size_t j = 0; j < columns; j++)
            squares += (sum[j] - mean) * (sum[j] - mean);
        const float inverse = 1.0f / sqrtf(squares / (float)columns + (float)epsilon);
        if (norm->inverse) norm->inverse[i] = inverse;
#pragma omp simd
        for (size_t j = 0; j < columns; j++) {
            const float value = (sum[j] - mean) * inverse;
            normalised[j] = value;
            y[j] = value * weight[j] + bias[j];
        }
        if (norm->y->rounded) round_row(columns, y, norm->y->rounded + i * columns);
    }
}

/* Where a backward step writes; NULL: nowhere. */
typedef struct LayerNormGradients {
    float *x, *residual;
    bool x_adds, residual_adds;
    float *sums; /* by block of rows: those of the bias, then those of the weight */
} LayerNormGradients;

enum { BLOCK_ROWS = 64 }; /* sums are taken by blocks, so that they are the same on any threads */

/* to = gradient, or to += gradient; with `drops` after dropout. */
static void put_gradient(const LayerNorm *norm, size_t i, bool drops, bool adds, float total, float product,
                         float *to) {
    const size_t columns = norm->x->columns;
    const float *dy = norm->y->gradient + i * columns, *n = norm->normalised + i * columns;
    const float *weight = norm->weight->value, inverse = norm->inverse[i];
#define PUT(operation, factor)                                                                               \
    _Pragma("omp simd") for (size_t j = 0; j < columns; j++)                                                 \
            to[j] operation(dy[j] * weight[j] - total - n[j] * product) *                                    \
        inverse *(factor)
    if (drops && adds)
        PUT(+=, dropout_factor(norm->dropout, i * columns + j));
    else if (drops)
        PUT(=, dropout_factor(norm->dropout, i * columns + j));
    else if (adds)
        PUT(+=, 1.0f);
    else
        PUT(=, 1.0f);
#undef PUT
}

/* The gradient of a row's sum is (g − mean(g) − n·mean(g·n)) / deviation, where g = dy·weight and n is
 * normalised. */
static void block_backward(const LayerNorm *norm, const LayerNormGradients *to, size_t block) {
    const size_t columns = norm->x->columns, first = block * BLOCK_ROWS;
    const size_t end = smaller(first + BLOCK_ROWS, norm->x->rows);
    float *bias_sums = to->sums + 2 * block * columns, *weight_sums = bias_sums + columns;
    const float *weight = norm->weight->value;
    memset(bias_sums, 0, 2 * columns * sizeof *bias_sums);
    for (size_t i = first; i < end; i++) {
        const float *dy = norm->y->gradient + i * columns, *n = norm->normalised + i * columns;
        float total = 0, product = 0;
#pragma omp simd reduction(+ : total, product)
        for (size_t j = 0; j < columns; j++) {
            const float term = dy[j] * n[j];
            total += dy[j] * weight[j];
            product += term * weight[j];
            bias_sums[j] += dy[j];
            weight_sums[j] += term;
        }
        total /= (float)columns;
        product /= (float)columns;
        if (to->residual)
            put_gradient(norm, i, false, to->residual_adds, total, product, to->residual + i * columns);
        if (to->x) put_gradient(norm, i, norm->drops, to->x_adds, total, product, to->x + i * columns);
    }
}

static float *take_gradient(Tape *tape, Tensor *tensor, bool *adds) {
    float beta = 0;
    float *gradient = tensor && tensor->needs_gradient ? tape_gradient_target(tape, tensor, &beta) : NULL;
    *adds = beta != 0;
    return gradient;
}

static void layer_norm_backward(Tape *tape, void *context) {
    const LayerNorm *norm = context;
    const size_t rows = norm->x->rows, columns = norm->x->columns;
    const size_t blocks = (rows + BLOCK_ROWS - 1) / BLOCK_ROWS;
    LayerNormGradients to;
    to.residual = take_gradient(tape, norm->residual, &to.residual_adds);
    to.x = take_gradient(tape, norm->x, &to.x_adds);
    to.sums = arena_take(tape->arena, 2 * blocks * columns, sizeof(float));
#pragma omp parallel for schedule(static) if (rows * columns > PARALLEL_ELEMENTS)
    for (size_t block = 0; block < blocks; block++)
        block_backward(norm, &to, block);
    for (size_t block = 0; block < blocks; block++) {
        const float *sums = to.sums + 2 * block * columns;
        if (norm->bias->trainable) add_row(columns, sums, norm->bias->gradient);
        if (norm->weight->trainable) add_row(columns, sums + columns, norm->weight->gradient);
    }
    tape_release(tape, norm->normalised, rows * columns * sizeof *norm->normalised);
    if (norm->bias->trainable) parameter_touch(norm->bias);
    if (norm->weight->trainable) parameter_touch(norm->weight);
}

Tensor *residual_layer_norm(Tape *tape, Tensor *residual, Tensor *x, double dropout_rate, Parameter *weight,
                            Parameter *bias, double epsilon) {
    const bool needs =
        x->needs_gradient || (residual && residual->needs_gradient) || weight->trainable || bias->trainable;
    Tensor *y = tape_tensor(tape, x->rows, x->columns, needs);
    const bool drops = residual && tape->recording && dropout_rate > 0;
    LayerNorm *norm =
        TAPE_CONTEXT(tape, LayerNorm, residual, x, y, weight, bias,
                     needs ? arena_take(tape->arena, x->rows * x->columns, sizeof(float)) : NULL,
                     needs ? arena_take(tape->arena, x->rows, sizeof(float)) : NULL, drops,
                     drops ? dropout_create(dropout_rate, tape_dropout_seed(tape)) : (Dropout){0});
    tape_take_rounded(tape, y);
    layer_norm_forward(norm, epsilon);
    tape_record(tape, y, layer_norm_backward, norm);
    return y;
}

Tensor *layer_norm(Tape *tape, Tensor *x, Parameter *weight, Parameter *bias, double epsilon) {
    return residual_layer_norm(tape, NULL, x, 0, weight, bias, epsilon);
}

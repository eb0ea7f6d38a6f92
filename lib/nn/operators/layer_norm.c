#include "nn/dropout.h"
#include "nn/operators/kernels.h"
#include "nn/operators/operators.h"
#include "nn/rounding.h"

#include <math.h>

typedef struct LayerNorm {
    Tensor *residual, *x, *y; /* residual is NULL for the plain layer norm */
    Parameter *weight, *bias;
    float *normalised; /* [rows, columns]: (sum − mean) / deviation */
    float *inverse;    /* by row: 1 / deviation */
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
        float *y = norm->y->value + i * columns, *normalised = norm->normalised + i * columns;
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
        norm->inverse[i] = inverse;
#pragma omp simd
        for (size_t j = 0; j < columns; j++) {
            const float value = (sum[j] - mean) * inverse;
            normalised[j] = value;
            y[j] = value * weight[j] + bias[j];
        }
        if (norm->y->rounded) round_row(columns, y, norm->y->rounded + i * columns);
    }
}

/* Of one row: sum_gradient = (g − mean(g) − n·mean(g·n)) / deviation, where g = dy·weight and n is
 * normalised. */
static void backward_row(const LayerNorm *norm, size_t i, float *sum_gradient) {
    const size_t columns = norm->x->columns;
    const float *dy = norm->y->gradient + i * columns, *n = norm->normalised + i * columns;
    const float *weight = norm->weight->value;
    float total = 0, product = 0;
#pragma omp simd reduction(+ : total, product)
    for (size_t j = 0; j < columns; j++) {
        total += dy[j] * weight[j];
        product += dy[j] * weight[j] * n[j];
    }
    total /= (float)columns;
    product /= (float)columns;
    const float inverse = norm->inverse[i];
#pragma omp simd
    for (size_t j = 0; j < columns; j++)
        sum_gradient[j] = (dy[j] * weight[j] - total - n[j] * product) * inverse;
}

static void parameters_backward(const LayerNorm *norm, float *scratch) {
    const size_t rows = norm->x->rows, columns = norm->x->columns;
    if (norm->bias->trainable) {
        add_column_sums(rows, columns, norm->y->gradient, norm->bias->gradient);
        norm->bias->touched = true;
    }
    if (!norm->weight->trainable) return;
#pragma omp parallel for simd schedule(static) if (rows * columns > PARALLEL_ELEMENTS)
    for (size_t i = 0; i < rows * columns; i++)
        scratch[i] = norm->y->gradient[i] * norm->normalised[i];
    add_column_sums(rows, columns, scratch, norm->weight->gradient);
    norm->weight->touched = true;
}

static void layer_norm_backward(Tape *tape, void *context) {
    const LayerNorm *norm = context;
    if (!norm->y->gradient) return;
    const size_t rows = norm->x->rows, columns = norm->x->columns;
    float *scratch = arena_take(tape->arena, rows * columns, sizeof(float));
    parameters_backward(norm, scratch);
    float *dx = norm->x->needs_gradient ? tape_gradient(tape, norm->x) : NULL;
    float *dresidual =
        norm->residual && norm->residual->needs_gradient ? tape_gradient(tape, norm->residual) : NULL;
    if (!dx && !dresidual) return;
#pragma omp parallel for schedule(static) if (rows * columns > PARALLEL_ELEMENTS)
    for (size_t i = 0; i < rows; i++) {
        float *gradient = scratch + i * columns;
        backward_row(norm, i, gradient);
        if (dresidual)
#pragma omp simd
            for (size_t j = 0; j < columns; j++)
                dresidual[i * columns + j] += gradient[j];
        if (dx && norm->drops)
#pragma omp simd
            for (size_t j = 0; j < columns; j++)
                dx[i * columns + j] += gradient[j] * dropout_factor(norm->dropout, i * columns + j);
        else if (dx)
#pragma omp simd
            for (size_t j = 0; j < columns; j++)
                dx[i * columns + j] += gradient[j];
    }
}

Tensor *residual_layer_norm(Tape *tape, Tensor *residual, Tensor *x, double dropout_rate, Parameter *weight,
                            Parameter *bias, double epsilon) {
    const bool needs =
        x->needs_gradient || (residual && residual->needs_gradient) || weight->trainable || bias->trainable;
    Tensor *y = tape_tensor(tape, x->rows, x->columns, needs);
    const bool drops = residual && tape->recording && dropout_rate > 0;
    LayerNorm *norm =
        TAPE_CONTEXT(tape, LayerNorm, residual, x, y, weight, bias,
                     arena_take(tape->arena, x->rows * x->columns, sizeof(float)),
                     arena_take(tape->arena, x->rows, sizeof(float)), drops,
                     drops ? dropout_create(dropout_rate, tape_dropout_seed(tape)) : (Dropout){0});
    tape_take_rounded(tape, y);
    layer_norm_forward(norm, epsilon);
    if (y->needs_gradient) tape_record(tape, layer_norm_backward, norm);
    return y;
}

Tensor *layer_norm(Tape *tape, Tensor *x, Parameter *weight, Parameter *bias, double epsilon) {
    return residual_layer_norm(tape, NULL, x, 0, weight, bias, epsilon);
}

#include "nn/operators/kernels.h"
#include "nn/operators/operators.h"
#include "nn/vector_math.h"

typedef struct Linear {
    Tensor *x, *y;
    Parameter *weight, *bias;
    Activation activation;
    float *before; /* the activation's input, kept for GELU and quick GELU */
} Linear;

static inline float gelu(float x) {
    return 0.5f * x * (1.0f + vector_erf(x * 0.70710678f));
}

static inline float gelu_slope(float x) {
    return 0.5f * (1.0f + vector_erf(x * 0.70710678f)) + x * 0.39894228f * vector_exp(-0.5f * x * x);
}

static inline float quick_gelu(float x) {
    return x * vector_sigmoid(1.702f * x);
}

static inline float quick_gelu_slope(float x) {
    const float s = vector_sigmoid(1.702f * x);
    return s + 1.702f * x * s * (1.0f - s);
}

/* before += bias; y = activation(before). `before` and y may be the same memory. */
static void activate(size_t rows, size_t columns, Activation activation, const float *bias, float *before,
                     float *y) {
#pragma omp parallel for schedule(static) if (rows * columns > PARALLEL_ELEMENTS)
    for (size_t i = 0; i < rows; i++) {
        float *z = before + i * columns, *out = y + i * columns;
        if (bias)
#pragma omp simd
            for (size_t j = 0; j < columns; j++)
                z[j] += bias[j];
        if (activation == ACTIVATION_RELU)
#pragma omp simd
            for (size_t j = 0; j < columns; j++)
                out[j] = z[j] > 0 ? z[j] : 0;
        else if (activation == ACTIVATION_GELU)
#pragma omp simd
            for (size_t j = 0; j < columns; j++)
                out[j] = gelu(z[j]);
        else if (activation == ACTIVATION_QUICK_GELU)
#pragma omp simd
            for (size_t j = 0; j < columns; j++)
                out[j] = quick_gelu(z[j]);
        else if (activation == ACTIVATION_SIGMOID)
#pragma omp simd
            for (size_t j = 0; j < columns; j++)
                out[j] = vector_sigmoid(z[j]);
    }
}

/* The gradient before the activation, in place of the one behind it. */
static void activate_backward(const Linear *linear_, float *gradient) {
    const size_t count = linear_->y->rows * linear_->y->columns;
    const float *before = linear_->before, *y = linear_->y->value;
    if (linear_->activation == ACTIVATION_RELU) {
#pragma omp parallel for simd schedule(static) if (count > PARALLEL_ELEMENTS)
        for (size_t i = 0; i < count; i++)
            gradient[i] = y[i] > 0 ? gradient[i] : 0;
    } else if (linear_->activation == ACTIVATION_GELU) {
#pragma omp parallel for simd schedule(static) if (count > PARALLEL_ELEMENTS)
        for (size_t i = 0; i < count; i++)
            gradient[i] *= gelu_slope(before[i]);
    } else if (linear_->activation == ACTIVATION_QUICK_GELU) {
#pragma omp parallel for simd schedule(static) if (count > PARALLEL_ELEMENTS)
        for (size_t i = 0; i < count; i++)
            gradient[i] *= quick_gelu_slope(before[i]);
    } else if (linear_->activation == ACTIVATION_SIGMOID) {
#pragma omp parallel for simd schedule(static) if (count > PARALLEL_ELEMENTS)
        for (size_t i = 0; i < count; i++)
            gradient[i] *= y[i] * (1.0f - y[i]);
    }
}

static void linear_backward(Tape *tape, void *context) {
    const Linear *l = context;
    if (!l->y->gradient) return;
    const size_t rows = l->x->rows, in = l->x->columns, out = l->y->columns;
    float *dy = l->y->gradient;
    activate_backward(l, dy);
    if (l->weight->trainable) {
        tape->backend->matmul(out, in, rows, (Matrix){dy, out, true}, (Matrix){l->x->value, in, false}, 1,
                              l->weight->gradient, in);
        l->weight->touched = true;
    }
    if (l->bias && l->bias->trainable) {
        add_column_sums(rows, out, dy, l->bias->gradient);
        l->bias->touched = true;
    }
    if (l->x->needs_gradient) {
        float beta;
        float *dx = tape_gradient_target(tape, l->x, &beta);
        tape->backend->matmul(rows, in, out, (Matrix){dy, out, false}, (Matrix){l->weight->value, in, false},
                              beta, dx, in);
    }
}

Tensor *linear(Tape *tape, Tensor *x, Parameter *weight, Parameter *bias, Activation activation) {
    const bool trains = weight->trainable || (bias && bias->trainable);
    Tensor *y = tape_tensor(tape, x->rows, weight->rows, x->needs_gradient || trains);
    const bool keeps =
        y->needs_gradient && (activation == ACTIVATION_GELU || activation == ACTIVATION_QUICK_GELU);
    float *before = keeps ? arena_take(tape->arena, y->rows * y->columns, sizeof(float)) : y->value;
    tape->backend->matmul(x->rows, weight->rows, x->columns, (Matrix){x->value, x->columns, false},
                          (Matrix){weight->value, x->columns, true}, 0, before, y->columns);
    if (bias || activation != ACTIVATION_NONE)
        activate(y->rows, y->columns, activation, bias ? bias->value : NULL, before, y->value);
    if (y->needs_gradient)
        tape_record(tape, linear_backward,
                    TAPE_CONTEXT(tape, Linear, x, y, weight, bias, activation, before));
    return y;
}

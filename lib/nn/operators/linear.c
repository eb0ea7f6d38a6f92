#include "nn/operators/kernels.h"
#include "nn/operators/operators.h"

typedef struct Linear {
    Tensor *x, *y;
    Parameter *weight, *bias;
    Activation activation;
    float *before; /* the activation's input, kept for GELU and quick GELU */
} Linear;

/* before += bias; y = activation(before). `before` and y may be the same memory. */
static void activate(size_t rows, size_t columns, Activation activation, const float *bias, float *before,
                     float *y) {
#pragma omp parallel for schedule(static) if (rows * columns > PARALLEL_ELEMENTS)
    for (size_t i = 0; i < rows; i++) {
        float *z = before + i * columns;
        if (bias) add_row(columns, bias, z);
        activate_row(activation, columns, z, y + i * columns);
    }
}

/* The gradient before the activation, in place of the one behind it. */
static void activate_backward(const Linear *l, size_t first, size_t rows, float *gradient) {
    const size_t columns = l->y->columns, count = rows * columns;
    const float *before = l->before + first * columns, *y = l->y->value + first * columns;
    if (l->activation == ACTIVATION_RELU) {
#pragma omp parallel for simd schedule(static) if (count > PARALLEL_ELEMENTS)
        for (size_t i = 0; i < count; i++)
            gradient[i] = y[i] > 0 ? gradient[i] : 0;
    } else if (l->activation == ACTIVATION_SIGMOID) {
#pragma omp parallel for simd schedule(static) if (count > PARALLEL_ELEMENTS)
        for (size_t i = 0; i < count; i++)
            gradient[i] *= y[i] * (1.0f - y[i]);
    } else if (l->activation != ACTIVATION_NONE) {
#pragma omp parallel for schedule(static) if (count > PARALLEL_ELEMENTS)
        for (size_t i = 0; i < count; i += ROW_PIECE) {
            float ignored[ROW_PIECE];
            activate_row_backward(l->activation, smaller(ROW_PIECE, count - i), before + i, ignored,
                                  gradient + i);
        }
    }
}

static void linear_backward(Tape *tape, void *context) {
    const Linear *l = context;
    const size_t all = l->x->rows, in = l->x->columns, out = l->y->columns;
    const size_t step = rows_at_once(in > out ? in : out);
    const Matrix x = l->weight->trainable ? tape_matrix(tape, l->x) : (Matrix){0};
    float beta = 0;
    float *dx = l->x->needs_gradient ? tape_gradient_target(tape, l->x, &beta) : NULL;
    const ArenaMark mark = arena_mark(tape->arena);
    for (size_t first = 0; first < all; first += step) {
        const size_t rows = smaller(step, all - first);
        float *dy = l->y->gradient + first * out;
        activate_backward(l, first, rows, dy);
        const Matrix gradient = tape_round(tape, dy, rows, out);
        if (l->weight->trainable)
            tape->backend->matmul(out, in, rows, transposed(gradient), rows_from(x, first), 1,
                                  l->weight->gradient, in);
        if (l->bias && l->bias->trainable) add_column_sums(rows, out, dy, l->bias->gradient);
        if (dx)
            tape->backend->matmul(rows, in, out, gradient, parameter_matrix(l->weight), beta, dx + first * in,
                                  in);
        arena_rewind(tape->arena, mark);
    }
    if (l->weight->trainable) parameter_touch(l->weight);
    if (l->bias && l->bias->trainable) parameter_touch(l->bias);
}

Tensor *linear(Tape *tape, Tensor *x, Parameter *weight, Parameter *bias, Activation activation) {
    const bool trains = weight->trainable || (bias && bias->trainable);
    Tensor *y = tape_tensor(tape, x->rows, weight->rows, x->needs_gradient || trains);
    const size_t all = x->rows, in = x->columns, out = y->columns;
    const size_t step = rows_at_once(in > out ? in : out);
    const bool keeps =
        y->needs_gradient && (activation == ACTIVATION_GELU || activation == ACTIVATION_QUICK_GELU);
    float *before = keeps ? arena_take(tape->arena, all * out, sizeof(float)) : y->value;
    const Matrix input = tape_matrix(tape, x), weights = parameter_matrix(weight);
    for (size_t first = 0; first < all; first += step) {
        const size_t rows = smaller(step, all - first);
        tape->backend->matmul(rows, out, in, rows_from(input, first), transposed(weights), 0,
                              before + first * out, out);
        if (bias || activation != ACTIVATION_NONE)
            activate(rows, out, activation, bias ? bias->value : NULL, before + first * out,
                     y->value + first * out);
    }
    tape_record(tape, y, linear_backward, TAPE_CONTEXT(tape, Linear, x, y, weight, bias, activation, before));
    return y;
}

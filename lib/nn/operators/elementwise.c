#include "nn/operators/kernels.h"
#include "nn/operators/operators.h"

typedef struct Elementwise {
    Tensor *a, *b, *y; /* b is NULL for ReLU */
} Elementwise;

static void add_products(size_t count, const float *a, const float *b, float *to) {
#pragma omp parallel for simd schedule(static) if (count > PARALLEL_ELEMENTS)
    for (size_t i = 0; i < count; i++)
        to[i] += a[i] * b[i];
}

static void multiply_backward(Tape *tape, void *context) {
    const Elementwise *e = context;
    const size_t count = e->y->rows * e->y->columns;
    const float *dy = e->y->gradient;
    if (e->a->needs_gradient) add_products(count, dy, e->b->value, tape_gradient(tape, e->a));
    if (e->b->needs_gradient) add_products(count, dy, e->a->value, tape_gradient(tape, e->b));
}

Tensor *multiply(Tape *tape, Tensor *a, Tensor *b) {
    Tensor *y = tape_tensor(tape, a->rows, a->columns, a->needs_gradient || b->needs_gradient);
    const size_t count = y->rows * y->columns;
#pragma omp parallel for simd schedule(static) if (count > PARALLEL_ELEMENTS)
    for (size_t i = 0; i < count; i++)
        y->value[i] = a->value[i] * b->value[i];
    tape_record(tape, y, multiply_backward, TAPE_CONTEXT(tape, Elementwise, a, b, y));
    return y;
}

static void relu_backward(Tape *tape, void *context) {
    const Elementwise *e = context;
    const size_t count = e->y->rows * e->y->columns;
    const float *dy = e->y->gradient, *y = e->y->value;
    float *dx = tape_gradient(tape, e->a);
#pragma omp parallel for simd schedule(static) if (count > PARALLEL_ELEMENTS)
    for (size_t i = 0; i < count; i++)
        dx[i] += y[i] > 0 ? dy[i] : 0;
}

Tensor *relu(Tape *tape, Tensor *x) {
    Tensor *y = tape_tensor(tape, x->rows, x->columns, x->needs_gradient);
    const size_t count = y->rows * y->columns;
#pragma omp parallel for simd schedule(static) if (count > PARALLEL_ELEMENTS)
    for (size_t i = 0; i < count; i++)
        y->value[i] = x->value[i] > 0 ? x->value[i] : 0;
    tape_record(tape, y, relu_backward, TAPE_CONTEXT(tape, Elementwise, x, NULL, y));
    return y;
}

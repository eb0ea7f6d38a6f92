#include "nn/operators/operators.h"

typedef struct Elementwise {
    Tensor *a, *b, *y; /* b is NULL for ReLU */
} Elementwise;

static void multiply_backward(Tape *tape, void *context) {
    const Elementwise *e = context;
    const ElementKernels *kernels = tape->backend->elements;
    const size_t count = e->y->rows * e->y->columns;
    const float *dy = e->y->gradient;
    if (e->a->needs_gradient) kernels->add_products(count, dy, e->b->value, tape_gradient(tape, e->a));
    if (e->b->needs_gradient) kernels->add_products(count, dy, e->a->value, tape_gradient(tape, e->b));
}

Tensor *multiply(Tape *tape, Tensor *a, Tensor *b) {
    Tensor *y = tape_tensor(tape, a->rows, a->columns, a->needs_gradient || b->needs_gradient);
    tape->backend->elements->multiply(y->rows * y->columns, a->value, b->value, y->value);
    tape_record(tape, y, multiply_backward, TAPE_CONTEXT(tape, Elementwise, a, b, y));
    return y;
}

static void relu_backward(Tape *tape, void *context) {
    const Elementwise *e = context;
    tape->backend->elements->relu_backward(e->y->rows * e->y->columns, e->y->value, e->y->gradient,
                                           tape_gradient(tape, e->a));
}

Tensor *relu(Tape *tape, Tensor *x) {
    Tensor *y = tape_tensor(tape, x->rows, x->columns, x->needs_gradient);
    tape->backend->elements->relu(y->rows * y->columns, x->value, y->value);
    tape_record(tape, y, relu_backward, TAPE_CONTEXT(tape, Elementwise, x, NULL, y));
    return y;
}

#include "nn/operators/operators.h"

typedef struct Columns {
    Tensor *a, *b, *y; /* b is NULL for take_columns */
    size_t first;
} Columns;

static void join_columns_backward(Tape *tape, void *context) {
    const Columns *c = context;
    const ColumnKernels *kernels = tape->backend->columns;
    const size_t rows = c->y->rows, a = c->a->columns, b = c->b->columns;
    if (c->a->needs_gradient) kernels->add(rows, a, c->y->gradient, a + b, tape_gradient(tape, c->a), a);
    if (c->b->needs_gradient) kernels->add(rows, b, c->y->gradient + a, a + b, tape_gradient(tape, c->b), b);
}

Tensor *join_columns(Tape *tape, Tensor *a, Tensor *b) {
    const size_t columns = a->columns + b->columns;
    const ColumnKernels *kernels = tape->backend->columns;
    Tensor *y = tape_tensor(tape, a->rows, columns, a->needs_gradient || b->needs_gradient);
    kernels->copy(y->rows, a->columns, a->value, a->columns, y->value, columns);
    kernels->copy(y->rows, b->columns, b->value, b->columns, y->value + a->columns, columns);
    tape_record(tape, y, join_columns_backward, TAPE_CONTEXT(tape, Columns, a, b, y, 0));
    return y;
}

static void take_columns_backward(Tape *tape, void *context) {
    const Columns *c = context;
    tape->backend->columns->add(c->y->rows, c->y->columns, c->y->gradient, c->y->columns,
                                tape_gradient(tape, c->a) + c->first, c->a->columns);
}

Tensor *take_columns(Tape *tape, Tensor *x, size_t first, size_t count) {
    Tensor *y = tape_tensor(tape, x->rows, count, x->needs_gradient);
    tape->backend->columns->copy(y->rows, count, x->value + first, x->columns, y->value, count);
    tape_record(tape, y, take_columns_backward, TAPE_CONTEXT(tape, Columns, x, NULL, y, first));
    return y;
}

#include "nn/operators/kernels.h"
#include "nn/operators/operators.h"

#include <string.h>

typedef struct Columns {
    Tensor *a, *b, *y; /* b is NULL for take_columns */
    size_t first;
} Columns;

/* to [rows, count] += from [rows, count], both parts of wider rows. */
static void add_columns(size_t rows, size_t count, const float *from, size_t from_stride, float *to,
                        size_t to_stride) {
#pragma omp parallel for schedule(static) if (rows * count > PARALLEL_ELEMENTS)
    for (size_t i = 0; i < rows; i++)
#pragma omp simd
        for (size_t j = 0; j < count; j++)
            to[i * to_stride + j] += from[i * from_stride + j];
}

static void copy_columns(size_t rows, size_t count, const float *from, size_t from_stride, float *to,
                         size_t to_stride) {
#pragma omp parallel for schedule(static) if (rows * count > PARALLEL_ELEMENTS)
    for (size_t i = 0; i < rows; i++)
        memcpy(to + i * to_stride, from + i * from_stride, count * sizeof *to);
}

static void join_columns_backward(Tape *tape, void *context) {
    const Columns *c = context;
    const size_t rows = c->y->rows, a = c->a->columns, b = c->b->columns;
    if (c->a->needs_gradient) add_columns(rows, a, c->y->gradient, a + b, tape_gradient(tape, c->a), a);
    if (c->b->needs_gradient) add_columns(rows, b, c->y->gradient + a, a + b, tape_gradient(tape, c->b), b);
}

Tensor *join_columns(Tape *tape, Tensor *a, Tensor *b) {
    const size_t columns = a->columns + b->columns;
    Tensor *y = tape_tensor(tape, a->rows, columns, a->needs_gradient || b->needs_gradient);
    copy_columns(y->rows, a->columns, a->value, a->columns, y->value, columns);
    copy_columns(y->rows, b->columns, b->value, b->columns, y->value + a->columns, columns);
    tape_record(tape, y, join_columns_backward, TAPE_CONTEXT(tape, Columns, a, b, y, 0));
    return y;
}

static void take_columns_backward(Tape *tape, void *context) {
    const Columns *c = context;
    if (c->y->gradient)
        add_columns(c->y->rows, c->y->columns, c->y->gradient, c->y->columns,
                    tape_gradient(tape, c->a) + c->first, c->a->columns);
}

Tensor *take_columns(Tape *tape, Tensor *x, size_t first, size_t count) {
    Tensor *y = tape_tensor(tape, x->rows, count, x->needs_gradient);
    copy_columns(y->rows, count, x->value + first, x->columns, y->value, count);
    tape_record(tape, y, take_columns_backward, TAPE_CONTEXT(tape, Columns, x, NULL, y, first));
    return y;
}

#include "nn/operators/operators.h"

typedef struct AppendZeroRows {
    Tensor *x, *y;
} AppendZeroRows;

static void append_zero_rows_backward(Tape *tape, void *context) {
    const AppendZeroRows *append = context;
    const size_t count = append->x->rows * append->x->columns;
    tape->backend->elements->add(count, append->y->gradient, tape_gradient(tape, append->x));
}

Tensor *append_zero_rows(Tape *tape, Tensor *x, size_t count) {
    const size_t size = x->rows * x->columns;
    Tensor *y = tape_tensor(tape, x->rows + count, x->columns, x->needs_gradient);
    tape->backend->memory->copy(size * sizeof(float), x->value, y->value);
    tape->backend->memory->fill(count * x->columns, 0, y->value + size);
    tape_record(tape, y, append_zero_rows_backward, TAPE_CONTEXT(tape, AppendZeroRows, x, y));
    return y;
}

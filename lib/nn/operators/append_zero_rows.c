#include "nn/operators/kernels.h"
#include "nn/operators/operators.h"

typedef struct AppendZeroRows {
    Tensor *x, *y;
} AppendZeroRows;

static void append_zero_rows_backward(Tape *tape, void *context) {
    const AppendZeroRows *append = context;
    if (append->y->gradient)
        add_elements(append->x->rows * append->x->columns, append->y->gradient,
                     tape_gradient(tape, append->x));
}

Tensor *append_zero_rows(Tape *tape, Tensor *x, size_t count) {
    const size_t size = x->rows * x->columns;
    Tensor *y = tape_tensor(tape, x->rows + count, x->columns, x->needs_gradient);
    if (size) memcpy(y->value, x->value, size * sizeof(float));
    if (count) memset(y->value + size, 0, count * x->columns * sizeof(float));
    tape_record(tape, y, append_zero_rows_backward, TAPE_CONTEXT(tape, AppendZeroRows, x, y));
    return y;
}

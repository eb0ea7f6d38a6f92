#include "nn/operators/operators.h"

typedef struct NormaliseRows {
    Tensor *x, *y;
    float *inverse; /* by row: 1 / norm */
} NormaliseRows;

static void normalise_rows_backward(Tape *tape, void *context) {
    const NormaliseRows *n = context;
    tape->backend->rows->normalise_backward(n->y->rows, n->y->columns, n->y->value, n->inverse,
                                            n->y->gradient, tape_gradient(tape, n->x));
}

Tensor *normalise_rows(Tape *tape, Tensor *x) {
    Tensor *y = tape_tensor(tape, x->rows, x->columns, x->needs_gradient);
    float *inverse = tape_take(tape, x->rows, sizeof *inverse);
    tape->backend->rows->normalise(x->rows, x->columns, x->value, y->value, inverse);
    tape_record(tape, y, normalise_rows_backward, TAPE_CONTEXT(tape, NormaliseRows, x, y, inverse));
    return y;
}

#include "nn/operators/operators.h"
#include "nn/operators/row_lists.h"

typedef struct GatherRows {
    Tensor *x, *y;
    const uint32_t *rows;
} GatherRows;

static void gather_rows_backward(Tape *tape, void *context) {
    const GatherRows *g = context;
    const RowLists lists = row_lists_create(tape, g->rows, g->y->rows, -1).lists;
    tape->backend->rows->scatter_add(g->y->columns, g->y->gradient, &lists, tape_gradient(tape, g->x),
                                     tape->values);
}

Tensor *gather_rows(Tape *tape, Tensor *x, const uint32_t *rows, size_t count) {
    Tensor *y = tape_tensor(tape, count, x->columns, x->needs_gradient);
    tape->backend->rows->gather(count, x->columns, x->value, tape_upload_rows(tape, rows, count), y->value);
    tape_record(tape, y, gather_rows_backward, TAPE_CONTEXT(tape, GatherRows, x, y, rows));
    return y;
}

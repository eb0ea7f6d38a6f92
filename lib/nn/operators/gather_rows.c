#include "nn/operators/operators.h"
#include "nn/operators/row_lists.h"

typedef struct GatherRows {
    Tensor *x, *y;
    RowLists lists; /* rows of y by where they go */
} GatherRows;

static void gather_rows_backward(Tape *tape, void *context) {
    const GatherRows *g = context;
    tape->backend->rows->scatter_add(g->y->columns, g->y->gradient, &g->lists, tape_gradient(tape, g->x),
                                     tape->values);
}

Tensor *gather_rows(Tape *tape, Tensor *x, const uint32_t *rows, size_t count) {
    Tensor *y = tape_tensor(tape, count, x->columns, x->needs_gradient);
    tape->backend->rows->gather(count, x->columns, x->value, tape_upload_rows(tape, rows, count), y->value);
    GatherRows *g = TAPE_CONTEXT(tape, GatherRows, .x = x, .y = y);
    if (y->needs_gradient) g->lists = row_lists_create(tape, rows, count, -1).lists;
    tape_record(tape, y, gather_rows_backward, g);
    return y;
}

#include "nn/operators/kernels.h"
#include "nn/operators/operators.h"

typedef struct GatherRows {
    Tensor *x, *y;
    const uint32_t *rows;
} GatherRows;

static void gather_rows_backward(Tape *tape, void *context) {
    const GatherRows *g = context;
    scatter_add_rows(g->y->rows, g->y->columns, g->y->gradient, g->rows, 0, -1, tape_gradient(tape, g->x));
}

Tensor *gather_rows(Tape *tape, Tensor *x, const uint32_t *rows, size_t count) {
    const size_t columns = x->columns;
    Tensor *y = tape_tensor(tape, count, columns, x->needs_gradient);
#pragma omp parallel for schedule(static) if (count * columns > PARALLEL_ELEMENTS)
    for (size_t i = 0; i < count; i++)
        memcpy(y->value + i * columns, x->value + rows[i] * columns, columns * sizeof(float));
    tape_record(tape, y, gather_rows_backward, TAPE_CONTEXT(tape, GatherRows, x, y, rows));
    return y;
}

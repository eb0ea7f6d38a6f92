#include "nn/exchange.h"
#include "nn/operators/operators.h"

typedef struct GatherRanks {
    const Ranks *ranks;
    Segments rows;
    Tensor *x, *y;
} GatherRanks;

/* In floats. */
static size_t *float_offsets(Tape *tape, const GatherRanks *gather) {
    size_t *offsets = arena_take(tape->arena, gather->rows.count + 1, sizeof *offsets);
    for (size_t r = 0; r <= gather->rows.count; r++)
        offsets[r] = gather->rows.offsets[r] * gather->y->columns;
    return offsets;
}

static void gather_ranks_backward(Tape *tape, void *context) {
    const GatherRanks *gather = context;
    const Backend *backend = tape->backend;
    const size_t count = gather->x->rows * gather->x->columns;
    float *own = tape_take(tape, count, sizeof *own);
    exchange_scatter_sum(gather->ranks, backend, float_offsets(tape, gather), tape_gradient(tape, gather->y),
                         own);
    backend->elements->add(count, own, tape_gradient(tape, gather->x));
}

static void gather_values(Tape *tape, const GatherRanks *gather) {
    const Backend *backend = tape->backend;
    const size_t *offsets = float_offsets(tape, gather);
    float *values = gather->y->value;
    backend->memory->copy(gather->x->rows * gather->x->columns * sizeof *values, gather->x->value,
                          values + offsets[gather->ranks->rank]);
    exchange_gather(gather->ranks, backend, offsets, values);
}

Tensor *gather_ranks(Tape *tape, const Ranks *ranks, Tensor *x, Segments rows) {
    if (ranks->count == 1) return x;
    Tensor *y = tape_tensor(tape, segments_rows(rows), x->columns, x->needs_gradient);
    GatherRanks *gather = TAPE_CONTEXT(tape, GatherRanks, ranks, rows, x, y);
    gather_values(tape, gather);
    tape_record(tape, y, gather_ranks_backward, gather);
    tape_run_always(tape, y);
    return y;
}

#include "core/memory.h"
#include "nn/operators/operators.h"

#include <string.h>

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
    const size_t all = gather->y->rows * gather->y->columns, count = gather->x->rows * gather->x->columns;
    const float *gradient = tape_gradient(tape, gather->y);
    float *host = NULL, *own = arena_take(tape->arena, count, sizeof *own);
    if (!backend->is_host) {
        host = memory_need(all, sizeof *host);
        backend->memory->download(all * sizeof *host, gradient, host);
    }
    ranks_scatter_sum(gather->ranks, float_offsets(tape, gather), host ? host : gradient, own);
    free(host);
    backend->elements->add(count, tape_upload(tape, own, count * sizeof *own),
                           tape_gradient(tape, gather->x));
}

static void gather_values(Tape *tape, const GatherRanks *gather) {
    const Backend *backend = tape->backend;
    const size_t *offsets = float_offsets(tape, gather);
    const size_t all = offsets[gather->rows.count], count = gather->x->rows * gather->x->columns;
    float *values = backend->is_host ? gather->y->value : memory_need(all, sizeof *values);
    backend->memory->download(count * sizeof *values, gather->x->value,
                              values + offsets[gather->ranks->rank]);
    ranks_gather(gather->ranks, offsets, sizeof *values, values);
    if (backend->is_host) return;
    backend->memory->upload(all * sizeof *values, values, gather->y->value);
    free(values);
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

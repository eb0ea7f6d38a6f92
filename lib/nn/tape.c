#include "nn/tape.h"

#include "core/memory.h"
#include "core/random.h"

#include <assert.h>
#include <string.h>

/* Less is not worth keeping; and the scalars of a loss are read after the backward steps. */
enum { SMALLEST_PIECE = 1 << 14, PIECE_ALIGNMENT = 16 }; /* in floats */

Tape *tape_create(const Backend *backend, bool recording) {
    Tape *tape = memory_need(1, sizeof *tape);
    tape->arena = arena_create();
    tape->values = backend->is_host
                       ? arena_create()
                       : arena_create_from((ArenaSource){backend->memory->take, backend->memory->release});
    tape->staging = backend->staging ? backend->staging->create() : NULL;
    tape->backend = backend;
    tape->recording = recording;
    return tape;
}

void tape_destroy(Tape *tape) {
    if (!tape) return;
    arena_destroy(tape->arena);
    arena_destroy(tape->values);
    if (tape->staging) tape->backend->staging->destroy(tape->staging);
    free(tape->uploads);
    free(tape->nodes);
    free(tape->pieces);
    free(tape);
}

void tape_reset(Tape *tape, uint64_t dropout_seed) {
    if (tape->staging)
        tape->backend->staging->restart(tape->staging); /* sends what waits; memory is free then */
    arena_reset(tape->arena);
    arena_reset(tape->values);
    tape->upload_count = 0;
    tape->count = 0;
    tape->piece_count = 0;
    tape->dropout_seed = dropout_seed;
    tape->dropout_uses = 0;
}

TapeMark tape_mark(const Tape *tape) {
    return (TapeMark){arena_mark(tape->arena), arena_mark(tape->values), tape->upload_count};
}

void tape_rewind(Tape *tape, TapeMark mark) {
    assert(!tape->recording);
    arena_rewind(tape->arena, mark.arena);
    arena_rewind(tape->values, mark.values);
    tape->upload_count = mark.uploads;
}

void *tape_take(Tape *tape, size_t count, size_t size) {
    return arena_take(tape->values, count, size);
}

const void *tape_upload(Tape *tape, const void *from, size_t bytes) {
    if (!from || !tape->staging) return from;
    for (size_t i = tape->upload_count; i-- > 0;)
        if (tape->uploads[i].from == from && tape->uploads[i].bytes >= bytes) return tape->uploads[i].to;
    const void *to = tape->backend->staging->add(tape->staging, bytes, from);
    tape->uploads =
        memory_grow(tape->uploads, &tape->upload_capacity, tape->upload_count + 1, sizeof *tape->uploads);
    tape->uploads[tape->upload_count++] = (Upload){from, to, bytes};
    return to;
}

const uint32_t *tape_upload_rows(Tape *tape, const uint32_t *rows, size_t count) {
    return tape_upload(tape, rows, count * sizeof *rows);
}

const size_t *tape_upload_offsets(Tape *tape, Segments segments) {
    return tape_upload(tape, segments.offsets, (segments.count + 1) * sizeof *segments.offsets);
}

void tape_send(Tape *tape) {
    tape->backend->memory->send();
}

const float *tape_read(Tape *tape, const Tensor *tensor) {
    const size_t count = tensor->rows * tensor->columns;
    if (tape->backend->is_host) return tensor->value;
    float *values = arena_take(tape->arena, count, sizeof *values);
    tape->backend->memory->download(count * sizeof *values, tensor->value, values);
    return values;
}

static Tensor *create_tensor(Tape *tape, float *value, size_t rows, size_t columns, bool needs_gradient) {
    Tensor *tensor = arena_take(tape->arena, 1, sizeof *tensor);
    *tensor = (Tensor){value, NULL, rows, columns, needs_gradient && tape->recording, NULL};
    return tensor;
}

Tensor *tape_tensor(Tape *tape, size_t rows, size_t columns, bool needs_gradient) {
    float *value = tape_take(tape, rows * columns, sizeof *value);
    return create_tensor(tape, value, rows, columns, needs_gradient);
}

Tensor *tape_view(Tape *tape, const float *values, size_t rows, size_t columns, bool needs_gradient) {
    return create_tensor(tape, (float *)values, rows, columns, needs_gradient);
}

Tensor *tape_leaf(Tape *tape, const float *values, size_t rows, size_t columns, bool needs_gradient) {
    return tape_view(tape, tape_upload(tape, values, rows * columns * sizeof *values), rows, columns,
                     needs_gradient);
}

void tape_record_as(const char *maker, Tape *tape, Tensor *y, Backward backward, void *context) {
    if (tape->watch.see) tape->watch.see(tape->watch.context, tape, maker, y, false);
    if (!y->needs_gradient) return;
    tape->nodes = memory_grow(tape->nodes, &tape->capacity, tape->count + 1, sizeof *tape->nodes);
    tape->nodes[tape->count++] = (TapeNode){y, maker, backward, context, false};
}

void tape_run_always(Tape *tape, const Tensor *y) {
    if (y->needs_gradient) tape->nodes[tape->count - 1].always = true;
}

void tape_release(Tape *tape, void *memory, size_t bytes) {
    const size_t count = bytes / sizeof(float);
    if (!memory || count < SMALLEST_PIECE) return;
    tape->pieces =
        memory_grow(tape->pieces, &tape->piece_capacity, tape->piece_count + 1, sizeof *tape->pieces);
    tape->pieces[tape->piece_count++] = (Piece){memory, count};
}

/* From the smallest piece that holds it, or else from the arena of values. */
static float *take_gradient(Tape *tape, size_t count) {
    const size_t whole = (count + PIECE_ALIGNMENT - 1) / PIECE_ALIGNMENT * PIECE_ALIGNMENT;
    Piece *best = NULL;
    for (size_t i = 0; i < tape->piece_count; i++)
        if (tape->pieces[i].count >= whole && (!best || tape->pieces[i].count < best->count))
            best = &tape->pieces[i];
    if (!best || whole < SMALLEST_PIECE) return tape_take(tape, count, sizeof(float));
    float *gradient = best->values;
    best->values += whole;
    best->count -= whole;
    if (best->count < SMALLEST_PIECE) *best = tape->pieces[--tape->piece_count];
    return gradient;
}

float *tape_gradient_target(Tape *tape, Tensor *tensor, float *beta) {
    *beta = tensor->gradient ? 1.0f : 0.0f;
    if (!tensor->gradient) tensor->gradient = take_gradient(tape, tensor->rows * tensor->columns);
    return tensor->gradient;
}

float *tape_gradient(Tape *tape, Tensor *tensor) {
    float beta, *gradient = tape_gradient_target(tape, tensor, &beta);
    if (beta == 0) tape->backend->memory->fill(tensor->rows * tensor->columns, 0, gradient);
    return gradient;
}

void tape_pass_gradient(Tape *tape, Tensor *y, Tensor *x) {
    if (!x->needs_gradient) return;
    if (x->gradient) {
        tape->backend->elements->add(x->rows * x->columns, y->gradient, x->gradient);
    } else {
        x->gradient = y->gradient;
        y->gradient = NULL;
    }
}

Matrix tape_round(Tape *tape, const float *values, size_t rows, size_t columns) {
    uint16_t *rounded = NULL;
    if (tape->backend->rounds) {
        rounded = tape_take(tape, rows * columns, sizeof *rounded);
        tape->backend->elements->round(rows * columns, values, rounded);
    }
    return (Matrix){values, columns, false, rounded, NULL};
}

Matrix tape_matrix(Tape *tape, Tensor *tensor) {
    if (!tensor->rounded)
        tensor->rounded = (uint16_t *)tape_round(tape, tensor->value, tensor->rows, tensor->columns).rounded;
    return (Matrix){tensor->value, tensor->columns, false, tensor->rounded, NULL};
}

void tape_take_rounded(Tape *tape, Tensor *tensor) {
    if (tape->backend->rounds)
        tensor->rounded = tape_take(tape, tensor->rows * tensor->columns, sizeof(uint16_t));
}

static void show_gradient(Tape *tape, const TapeNode *node) {
    if (!tape->watch.see || !node->y->gradient) return;
    Tensor gradient = *node->y;
    gradient.value = node->y->gradient;
    tape->watch.see(tape->watch.context, tape, node->maker, &gradient, true);
}

void tape_backward(Tape *tape, Tensor *loss) {
    assert(tape->recording && loss->rows * loss->columns == 1);
    float beta, *gradient = tape_gradient_target(tape, loss, &beta);
    tape->backend->memory->fill(1, 1.0f, gradient);
    for (size_t i = tape->count; i-- > 0;) {
        const TapeNode *node = &tape->nodes[i];
        Tensor *y = node->y;
        const size_t count = y->rows * y->columns;
        show_gradient(tape, node);
        if (y->gradient || node->always) node->backward(tape, node->context);
        tape_release(tape, y->value, count * sizeof *y->value);
        tape_release(tape, y->gradient, count * sizeof *y->gradient);
        tape_release(tape, y->rounded, count * sizeof *y->rounded);
    }
}

Dropout tape_dropout(Tape *tape, double rate) {
    if (!tape->recording || rate <= 0) return dropout_none();
    return dropout_create(rate, random_hash(tape->dropout_seed, tape->dropout_uses++));
}

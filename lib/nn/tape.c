#include "nn/tape.h"

#include "core/memory.h"
#include "core/random.h"
#include "nn/rounding.h"

#include <assert.h>
#include <string.h>

Tape *tape_create(const Backend *backend, bool recording) {
    Tape *tape = memory_need(1, sizeof *tape);
    tape->arena = arena_create();
    tape->backend = backend;
    tape->recording = recording;
    return tape;
}

void tape_destroy(Tape *tape) {
    if (!tape) return;
    arena_destroy(tape->arena);
    free(tape->nodes);
    free(tape);
}

void tape_reset(Tape *tape, uint64_t dropout_seed) {
    arena_reset(tape->arena);
    tape->count = 0;
    tape->dropout_seed = dropout_seed;
    tape->dropout_uses = 0;
}

Tensor *tape_leaf(Tape *tape, float *value, size_t rows, size_t columns, bool needs_gradient) {
    Tensor *tensor = arena_take(tape->arena, 1, sizeof *tensor);
    *tensor = (Tensor){value, NULL, rows, columns, needs_gradient && tape->recording, NULL};
    return tensor;
}

Tensor *tape_tensor(Tape *tape, size_t rows, size_t columns, bool needs_gradient) {
    return tape_leaf(tape, arena_take(tape->arena, rows * columns, sizeof(float)), rows, columns,
                     needs_gradient);
}

void tape_record(Tape *tape, Backward backward, void *context) {
    tape->nodes = memory_grow(tape->nodes, &tape->capacity, tape->count + 1, sizeof *tape->nodes);
    tape->nodes[tape->count++] = (TapeNode){backward, context};
}

float *tape_gradient(Tape *tape, Tensor *tensor) {
    if (!tensor->gradient)
        tensor->gradient = arena_take_zeroed(tape->arena, tensor->rows * tensor->columns, sizeof(float));
    return tensor->gradient;
}

float *tape_gradient_target(Tape *tape, Tensor *tensor, float *beta) {
    *beta = tensor->gradient ? 1.0f : 0.0f;
    if (!tensor->gradient)
        tensor->gradient = arena_take(tape->arena, tensor->rows * tensor->columns, sizeof(float));
    return tensor->gradient;
}

Matrix tape_round(Tape *tape, const float *values, size_t rows, size_t columns) {
    uint16_t *rounded = NULL;
    if (tape->backend->rounds) {
        rounded = arena_take(tape->arena, rows * columns, sizeof *rounded);
        round_all(rows * columns, values, rounded);
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
        tensor->rounded = arena_take(tape->arena, tensor->rows * tensor->columns, sizeof(uint16_t));
}

void tape_backward(Tape *tape, Tensor *loss) {
    assert(tape->recording && loss->rows * loss->columns == 1);
    *tape_gradient(tape, loss) = 1.0f;
    for (size_t i = tape->count; i-- > 0;)
        tape->nodes[i].backward(tape, tape->nodes[i].context);
}

uint64_t tape_dropout_seed(Tape *tape) {
    return random_hash(tape->dropout_seed, tape->dropout_uses++);
}

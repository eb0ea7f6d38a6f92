#include "model/user_encoder/packed_rows.h"

#include <string.h>

/* The steps in which a user has padding. */
static size_t padding_of(const UserRows *rows, size_t user) {
    return rows->max_seq_len - segments_length(rows->inputs, user);
}

/* counts[t]: the users whose sequences begin in step t. */
static size_t *count_beginnings(Tape *tape, const UserRows *rows, bool shared) {
    size_t *counts = arena_take(tape->arena, rows->max_seq_len + 1, sizeof *counts);
    memset(counts, 0, (rows->max_seq_len + 1) * sizeof *counts);
    for (size_t user = 0; user < rows->inputs.count; user++)
        counts[shared ? padding_of(rows, user) : 0]++;
    return counts;
}

/* Writes a user's rows, which are the `number`th of their steps. */
static void place_user(const UserRows *rows, size_t user, size_t begin, size_t number, const size_t *offsets,
                       uint32_t *from, uint32_t *places) {
    const size_t padding = padding_of(rows, user), first = rows->inputs.offsets[user];
    for (size_t t = begin; t < rows->max_seq_len; t++) {
        const size_t row = offsets[t] + number;
        from[row] = t < padding ? rows->padding_row : rows->rows[first + t - padding];
        if (t >= padding) places[first + t - padding] = (uint32_t)row;
    }
}

PackedRows packed_rows_create(Tape *tape, const UserRows *rows, bool shared) {
    const size_t steps = rows->max_seq_len, users = rows->inputs.count;
    size_t *next = count_beginnings(tape, rows, shared);
    size_t *offsets = arena_take(tape->arena, steps + 1, sizeof *offsets);
    const size_t padding = next[0] < users; /* sequences of it */
    size_t begun = padding;
    offsets[0] = 0;
    for (size_t t = 0; t <= steps; t++) { /* next[t] becomes the number of the next user that begins in t */
        const size_t count = next[t];
        next[t] = begun;
        begun += count;
        if (t < steps) offsets[t + 1] = offsets[t] + begun;
    }
    uint32_t *from = arena_take(tape->arena, offsets[steps], sizeof *from);
    uint32_t *places = arena_take(tape->arena, segments_rows(rows->inputs), sizeof *places);
    for (size_t t = 0; t < steps && padding; t++)
        from[offsets[t]] = rows->padding_row;
    for (size_t user = 0; user < users; user++) {
        const size_t begin = shared ? padding_of(rows, user) : 0;
        place_user(rows, user, begin, next[begin]++, offsets, from, places);
    }
    return (PackedRows){{steps, offsets}, from, places};
}

Tensor *packed_rows_gather(Tape *tape, Tensor *items, const PackedRows *packed) {
    return gather_rows(tape, items, packed->from, segments_rows(packed->steps));
}

Tensor *packed_rows_select(Tape *tape, Tensor *hidden, const PackedRows *packed, const UserRows *rows) {
    return gather_rows(tape, hidden, packed->places, segments_rows(rows->inputs));
}

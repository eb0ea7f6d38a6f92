#include "model/user_encoder/padded_rows.h"

/* Where the first input of a user stands. */
static size_t first_place(const UserRows *rows, size_t user) {
    return (user + 1) * rows->max_seq_len - segments_length(rows->inputs, user);
}

Tensor *padded_rows_gather(Tape *tape, Tensor *items, const UserRows *rows) {
    const size_t count = rows->inputs.count * rows->max_seq_len;
    uint32_t *from = arena_take(tape->arena, count, sizeof *from);
    for (size_t user = 0, place = 0; user < rows->inputs.count; user++) {
        while (place < first_place(rows, user))
            from[place++] = rows->padding_row;
        for (size_t p = rows->inputs.offsets[user]; p < rows->inputs.offsets[user + 1]; p++)
            from[place++] = rows->rows[p];
    }
    return gather_rows(tape, items, from, count);
}

Tensor *padded_rows_select(Tape *tape, Tensor *hidden, const UserRows *rows) {
    const size_t count = segments_rows(rows->inputs);
    uint32_t *from = arena_take(tape->arena, count, sizeof *from);
    for (size_t user = 0; user < rows->inputs.count; user++) {
        size_t place = first_place(rows, user);
        for (size_t p = rows->inputs.offsets[user]; p < rows->inputs.offsets[user + 1]; p++)
            from[p] = (uint32_t)place++;
    }
    return gather_rows(tape, hidden, from, count);
}

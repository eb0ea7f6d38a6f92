#include "eval/scorer.h"

enum { USERS_AT_ONCE = 256 };

/* The inputs of the users first … first + count − 1, as rows of the item vectors. */
static UserRows input_rows(Tape *tape, const Behaviours *behaviours, Split split, size_t first,
                           size_t count) {
    size_t *offsets = arena_take(tape->arena, count + 1, sizeof *offsets);
    offsets[0] = 0;
    for (size_t i = 0; i < count; i++)
        offsets[i + 1] = offsets[i] + split_input(behaviours, split, first + i).count;
    uint32_t *rows = arena_take(tape->arena, offsets[count], sizeof *rows);
    for (size_t i = 0; i < count; i++) {
        const Sequence input = split_input(behaviours, split, first + i);
        memcpy(rows + offsets[i], input.items, input.count * sizeof *rows);
    }
    return (UserRows){{count, offsets}, rows, 0, behaviours->options.max_seq_len};
}

static Tensor *last_states(Tape *tape, Tensor *hidden, Segments inputs) {
    uint32_t *last = arena_take(tape->arena, inputs.count, sizeof *last);
    for (size_t i = 0; i < inputs.count; i++)
        last[i] = (uint32_t)(inputs.offsets[i + 1] - 1);
    return gather_rows(tape, hidden, last, inputs.count);
}

bool scorer_ranks(const Recommender *recommender, Tape *tape, const float *vectors,
                  const Behaviours *behaviours, Split split, uint32_t candidate_count, double *ranks,
                  Error *error) {
    const size_t dim = (size_t)recommender->settings.dim, columns = (size_t)candidate_count + 1;
    Packing packing = {0};
    const Matrix candidates = {vectors, dim, true, NULL, &packing};
    bool fine = true;
    for (size_t first = 0; first < behaviours->user_count && fine; first += USERS_AT_ONCE) {
        const size_t left = behaviours->user_count - first,
                     count = left < USERS_AT_ONCE ? left : USERS_AT_ONCE;
        tape_reset(tape, 0);
        Tensor *items = tape_leaf(tape, (float *)vectors, columns, dim, false);
        const UserRows rows = input_rows(tape, behaviours, split, first, count);
        const Tensor *users =
            last_states(tape, recommender_users(recommender, tape, items, &rows), rows.inputs);
        float *scores = arena_take(tape->arena, count * columns, sizeof *scores);
        tape->backend->matmul(count, columns, dim, matrix_of(users->value, dim), candidates, 0, scores,
                              columns);
        fine = rank_rows(behaviours, split, first, count, scores, columns, candidate_count, ranks + first,
                         error);
    }
    packing_release(&packing);
    return fine;
}

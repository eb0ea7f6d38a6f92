#include "eval/scorer.h"

#include "core/memory.h"

#include <math.h>
#include <string.h>

/* Of users, when their states are computed. */
enum { ROWS_AT_ONCE = 256 };

static size_t smaller(size_t a, size_t b) {
    return a < b ? a : b;
}

size_t user_choice_number(const UserChoice *choice, size_t i) {
    return choice->users ? choice->users[choice->first + i] : choice->first + i;
}

/* ---- From users to states ---- */

static Sequence input_of(const UserChoice *choice, size_t i) {
    return split_input(choice->behaviours, choice->split, user_choice_number(choice, i));
}

/* The inputs as rows of `items`, which receives their vectors in their order, the padding item's first. */
static UserRows input_rows(const Scorer *scorer, const UserChoice *choice, size_t first, size_t count,
                           Tensor **items) {
    Tape *tape = scorer->tape;
    const size_t dim = scorer->vectors.dim;
    size_t *offsets = arena_take(tape->arena, count + 1, sizeof *offsets);
    offsets[0] = 0;
    for (size_t i = 0; i < count; i++)
        offsets[i + 1] = offsets[i] + input_of(choice, first + i).count;
    uint32_t *numbers = arena_take(tape->arena, offsets[count], sizeof *numbers);
    uint32_t *rows = arena_take(tape->arena, offsets[count], sizeof *rows);
    for (size_t i = 0; i < count; i++) {
        const Sequence input = input_of(choice, first + i);
        memcpy(numbers + offsets[i], input.items, input.count * sizeof *numbers);
    }
    for (size_t p = 0; p < offsets[count]; p++)
        rows[p] = (uint32_t)p + 1;
    float *vectors = arena_take(tape->arena, (offsets[count] + 1) * dim, sizeof *vectors);
    memcpy(vectors, scorer->vectors.padding, dim * sizeof *vectors);
    item_vectors_gather(&scorer->vectors, numbers, offsets[count], vectors + dim);
    *items = tape_leaf(tape, vectors, offsets[count] + 1, dim, false);
    /* The last input has the model's last position, however few inputs are taken. */
    return (UserRows){{count, offsets}, rows, 0, (size_t)scorer->recommender->settings.max_seq_len};
}

static Tensor *last_states(Tape *tape, Tensor *hidden, Segments inputs) {
    uint32_t *last = arena_take(tape->arena, inputs.count, sizeof *last);
    for (size_t i = 0; i < inputs.count; i++)
        last[i] = (uint32_t)(inputs.offsets[i + 1] - 1);
    return gather_rows(tape, hidden, last, inputs.count);
}

static size_t state_bytes(const Scorer *scorer, size_t count) {
    return count * scorer->vectors.dim * sizeof(float);
}

float *scorer_take(const Scorer *scorer, size_t count) {
    return scorer->tape->backend->memory->take(state_bytes(scorer, count));
}

void scorer_release(const Scorer *scorer, float *states, size_t count) {
    scorer->tape->backend->memory->release(states, state_bytes(scorer, count));
}

void scorer_read(const Scorer *scorer, const float *states, size_t count, float *to) {
    scorer->tape->backend->memory->download(state_bytes(scorer, count), states, to);
}

void scorer_write(const Scorer *scorer, const float *from, size_t count, float *states) {
    scorer->tape->backend->memory->upload(state_bytes(scorer, count), from, states);
}

Arena *scorer_arena(const Scorer *scorer) {
    const MemoryKernels *memory = scorer->tape->backend->memory;
    return arena_create_from((ArenaSource){memory->take, memory->release});
}

void *scorer_upload(const Scorer *scorer, Arena *arena, const void *from, size_t count, size_t size) {
    void *to = arena_take(arena, count, size);
    scorer->tape->backend->memory->upload(count * size, from, to);
    return to;
}

void scorer_states(const Scorer *scorer, const UserChoice *choice, float *states) {
    Tape *tape = scorer->tape;
    for (size_t first = 0; first < choice->count; first += ROWS_AT_ONCE) {
        const size_t count = smaller(choice->count - first, ROWS_AT_ONCE), dim = scorer->vectors.dim;
        tape_reset(tape, 0);
        Tensor *items;
        const UserRows rows = input_rows(scorer, choice, first, count, &items);
        const Tensor *users =
            last_states(tape, recommender_users(scorer->recommender, tape, items, &rows), rows.inputs);
        tape->backend->memory->copy(state_bytes(scorer, count), users->value, states + first * dim);
    }
}

/* ---- From states to scores ---- */

void scorer_normalise(float *rows, size_t count, size_t dim) {
#pragma omp parallel for
    for (size_t i = 0; i < count; i++) {
        double squares = 0;
        for (size_t d = 0; d < dim; d++)
            squares += (double)rows[i * dim + d] * (double)rows[i * dim + d];
        const float scale = squares > 0 ? (float)(1 / sqrt(squares)) : 0;
        for (size_t d = 0; d < dim; d++)
            rows[i * dim + d] *= scale;
    }
}

/* Candidates from `first` on against all states. */
static void visit_candidates(const Scorer *scorer, const float *states, size_t state_count, size_t first,
                             size_t count, const float *vectors, VisitTile visit, void *context) {
    const size_t dim = scorer->vectors.dim;
    Tape *tape = scorer->tape;
    const size_t most = tape->backend->score_rows;
    tape_reset(tape, 0);
    Packing packing = {0};
    const Matrix candidates = {tape_upload(tape, vectors, count * dim * sizeof *vectors), dim, true, NULL,
                               state_count > most ? &packing : NULL};
    const TapeMark mark = tape_mark(tape);
    for (size_t row = 0; row < state_count; row += most) {
        const size_t rows = smaller(state_count - row, most);
        const Tensor *product = tape_tensor(tape, rows, count, false);
        tape->backend->matmul(rows, count, dim, matrix_of(states + row * dim, dim), candidates, 0,
                              product->value, count);
        visit(context, &(ScoredTile){row, rows, first, count, product});
        tape_rewind(tape, mark);
    }
    tape->backend->release_packing(&packing);
}

void scorer_visit_tiles(const Scorer *scorer, const float *states, size_t state_count,
                        const Candidates *candidates, VisitTile visit, void *context) {
    const size_t dim = scorer->vectors.dim, columns = scorer->tape->backend->score_columns;
    const size_t most = smaller(candidates->count, columns);
    float *vectors = memory_need(most * dim, sizeof *vectors);
    for (size_t first = 0; first < candidates->count; first += columns) {
        const size_t count = smaller(candidates->count - first, columns);
        item_vectors_gather(&scorer->vectors, candidates->items + first, count, vectors);
        if (candidates->normalised) scorer_normalise(vectors, count, dim);
        visit_candidates(scorer, states, state_count, first, count, vectors, visit, context);
    }
    free(vectors);
}

typedef struct RowVisit {
    Tape *tape;
    const uint32_t *items;
    VisitScores visit;
    void *context;
} RowVisit;

static void visit_rows(void *context, const ScoredTile *tile) {
    const RowVisit *rows = context;
    const float *scores = tape_read(rows->tape, tile->scores);
#pragma omp parallel for schedule(dynamic, 8)
    for (size_t i = 0; i < tile->rows; i++)
        rows->visit(rows->context, tile->first_row + i, rows->items + tile->first, tile->count,
                    scores + i * tile->count);
}

void scorer_visit(const Scorer *scorer, const float *states, size_t state_count, const Candidates *candidates,
                  VisitScores visit, void *context) {
    RowVisit rows = {scorer->tape, candidates->items, visit, context};
    scorer_visit_tiles(scorer, states, state_count, candidates, visit_rows, &rows);
}

uint32_t *scorer_all_items(size_t count, Error *error) {
    uint32_t *items = memory_allocate(count, sizeof *items, error);
    for (size_t i = 0; items && i < count; i++)
        items[i] = (uint32_t)i + 1;
    return items;
}

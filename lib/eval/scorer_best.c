#include "core/memory.h"
#include "eval/scorer.h"
#include "nn/backend/ranked_key.h"

#include <stdlib.h>

/* ---- On the host, from each row of scores ---- */

static void add_scores(void *context, size_t row, const uint32_t *items, size_t count, const float *scores) {
    top_k_add(&((TopK *)context)[row], items, count, scores);
}

/* ---- In the backend's memory, from tiles of scores ---- */

/* What is selected there; best.keys and best.bad are in one piece, so that they are read at once. */
typedef struct Selection {
    const Scorer *scorer;
    const Candidates *candidates;
    size_t rows;
    Arena *memory; /* the backend's */
    const size_t *masked_offsets;
    const uint32_t *masked; /* what the rows exclude, as candidates counted from 1 */
    BestCandidates best;
} Selection;

static const Backend *backend_of(const Selection *selection) {
    return selection->scorer->tape->backend;
}

static BestCandidates best_at(void *memory, size_t rows, size_t k) {
    uint64_t *keys = memory;
    return (BestCandidates){k, keys, (uint32_t *)(keys + rows * k)};
}

static size_t best_size(size_t rows, size_t k) {
    return rows * (k * sizeof(uint64_t) + sizeof(uint32_t));
}

/* The place of an item among the candidates, which rise, from 1; 0: it is none. */
static uint32_t place_of(const Candidates *candidates, uint32_t item) {
    if (item <= candidates->count && candidates->items[item - 1] == item)
        return item; /* all are candidates */
    const uint32_t *found = find_item(item, candidates->items, candidates->count);
    return found ? (uint32_t)(found - candidates->items) + 1 : 0;
}

static size_t mask(const Candidates *candidates, const TopK *top, uint32_t *masked) {
    size_t count = 0;
    for (size_t i = 0; i < top->excluded_count; i++) {
        const uint32_t place = place_of(candidates, top->excluded[i]);
        if (place) masked[count++] = place;
    }
    return count;
}

static void upload_masks(Selection *selection, const TopK *tops) {
    const size_t rows = selection->rows;
    size_t *offsets = memory_need(rows + 1, sizeof *offsets), most = 0;
    for (size_t i = 0; i < rows; i++)
        most += tops[i].excluded_count;
    uint32_t *masked = memory_need(most, sizeof *masked);
    for (size_t i = 0; i < rows; i++)
        offsets[i + 1] = offsets[i] + mask(selection->candidates, &tops[i], masked + offsets[i]);
    selection->masked_offsets =
        scorer_upload(selection->scorer, selection->memory, offsets, rows + 1, sizeof *offsets);
    selection->masked =
        scorer_upload(selection->scorer, selection->memory, masked, offsets[rows], sizeof *masked);
    free(offsets);
    free(masked);
}

static Selection selection_create(const Scorer *scorer, size_t rows, const Candidates *candidates,
                                  const TopK *tops) {
    Selection selection = {
        .scorer = scorer, .candidates = candidates, .rows = rows, .memory = scorer_arena(scorer)};
    const size_t k = tops[0].k, size = best_size(rows, k);
    float *memory = arena_take(selection.memory, 1, size);
    selection.best = best_at(memory, rows, k);
    backend_of(&selection)->memory->fill(size / sizeof *memory, 0, memory);
    upload_masks(&selection, tops);
    return selection;
}

static void add_tile(void *context, const ScoredTile *scored) {
    const Selection *selection = context;
    const size_t row = scored->first_row, k = selection->best.k;
    const ScoreTile tile = {.rows = scored->rows,
                            .count = scored->count,
                            .first = (uint32_t)scored->first + 1,
                            .scores = scored->scores->value,
                            .masked_offsets = selection->masked_offsets + row,
                            .masked = selection->masked};
    const BestCandidates best = {k, selection->best.keys + row * k, selection->best.bad + row};
    backend_of(selection)->scores->add_best(&tile, &best);
}

static void read_row(const Candidates *candidates, const uint64_t *keys, uint32_t bad, TopK *top) {
    for (; top->count < top->k && keys[top->count]; top->count++)
        top->best[top->count] = (ScoredItem){candidates->items[ranked_candidate(keys[top->count]) - 1],
                                             ranked_score(keys[top->count])};
    if (bad) top->bad = candidates->items[bad - 1];
}

static void selection_read(const Selection *selection, TopK *tops) {
    const size_t k = selection->best.k, size = best_size(selection->rows, k);
    void *memory = memory_need(size, 1);
    const BestCandidates best = best_at(memory, selection->rows, k);
    backend_of(selection)->memory->download(size, selection->best.keys, memory);
    for (size_t i = 0; i < selection->rows; i++)
        read_row(selection->candidates, best.keys + i * k, best.bad[i], &tops[i]);
    free(memory);
}

void scorer_best(const Scorer *scorer, const float *states, size_t state_count, const Candidates *candidates,
                 TopK *tops) {
    if (tops[0].k > scorer->tape->backend->scores->best_most) {
        scorer_visit(scorer, states, state_count, candidates, add_scores, tops);
        return;
    }
    Selection selection = selection_create(scorer, state_count, candidates, tops);
    scorer_visit_tiles(scorer, states, state_count, candidates, add_tile, &selection);
    selection_read(&selection, tops);
    arena_destroy(selection.memory);
}

#include "core/memory.h"
#include "eval/scorer.h"

#include <math.h>
#include <string.h>

/* What is found out of a block of users: in the backend's memory, in one piece, so that it is read at once.
 */
typedef struct Findings {
    Standing *standings;
    float *scores; /* of the targets, as the tiles give them; −∞ for one that is masked */
    float *taken;  /* what they were taken to be when candidates were counted */
} Findings;

/* A block of users; the indices are uploaded. */
typedef struct Block {
    const Scorer *scorer;
    const UserChoice *choice;
    uint32_t candidate_count;
    const float *states;
    Arena *memory;                    /* the backend's */
    const uint32_t *targets, *places; /* of users, and in squares (score_targets); 0: it is masked */
    const size_t *masked_offsets;
    const uint32_t *masked; /* the histories */
    Findings findings;
} Block;

static const Backend *backend_of(const Block *block) {
    return block->scorer->tape->backend;
}

static Findings findings_at(void *memory, size_t users) {
    Standing *standings = memory;
    float *scores = (float *)(standings + users);
    return (Findings){standings, scores, scores + users};
}

static size_t findings_size(size_t users) {
    return users * (sizeof(Standing) + 2 * sizeof(float));
}

/* All candidates are in one tile: the targets' scores are known before anything is counted. */
static bool is_one_tile(const Block *block) {
    return block->candidate_count <= backend_of(block)->score_columns;
}

/* Where they are not, users and their targets are first taken in squares of so many, in which each user's own
 * target lies on the diagonal. */
static size_t square_of(const Block *block) {
    return backend_of(block)->score_rows;
}

/* ---- The users ---- */

static uint32_t target_of(const Block *block, size_t i) {
    return split_target(block->choice->behaviours, block->choice->split,
                        user_choice_number(block->choice, i));
}

static Sequence history_of(const Block *block, size_t i) {
    return split_history(block->choice->behaviours, block->choice->split,
                         user_choice_number(block->choice, i));
}

static const void *upload(const Block *block, const void *from, size_t count, size_t size) {
    return scorer_upload(block->scorer, block->memory, from, count, size);
}

static void upload_users(Block *block) {
    const size_t users = block->choice->count;
    uint32_t *targets = memory_need(users, sizeof *targets), *places = memory_need(users, sizeof *places);
    size_t *offsets = memory_need(users + 1, sizeof *offsets), most = 0;
    for (size_t i = 0; i < users; i++)
        most += history_of(block, i).count;
    uint32_t *masked = memory_need(most, sizeof *masked);
    for (size_t i = 0; i < users; i++) {
        uint32_t *own = masked + offsets[i];
        const size_t count = distinct_items(history_of(block, i), block->candidate_count, own);
        offsets[i + 1] = offsets[i] + count;
        targets[i] = target_of(block, i);
        if (is_masked(targets[i], own, count)) targets[i] = 0;
        places[i] = targets[i] ? (uint32_t)(i % square_of(block)) + 1 : 0;
    }
    block->targets = upload(block, targets, users, sizeof *targets);
    block->places = upload(block, places, users, sizeof *places);
    block->masked_offsets = upload(block, offsets, users + 1, sizeof *offsets);
    block->masked = upload(block, masked, offsets[users], sizeof *masked);
    free(targets);
    free(places);
    free(offsets);
    free(masked);
}

static Block block_create(const Scorer *scorer, const float *states, const UserChoice *choice,
                          uint32_t candidate_count) {
    Block block = {.scorer = scorer,
                   .choice = choice,
                   .candidate_count = candidate_count,
                   .states = states,
                   .memory = scorer_arena(scorer)};
    block.findings = findings_at(arena_take(block.memory, 1, findings_size(choice->count)), choice->count);
    backend_of(&block)->memory->fill(2 * choice->count, -INFINITY, block.findings.scores);
    upload_users(&block);
    return block;
}

/* ---- The scores of the targets, before those of the candidates ---- */

typedef struct Square {
    const Block *block;
    size_t first; /* user */
} Square;

static void take_diagonal(void *context, const ScoredTile *scored) {
    const Square *square = context;
    const Block *block = square->block;
    const ScoreTile tile = {.rows = scored->rows,
                            .count = scored->count,
                            .first = 1,
                            .scores = scored->scores->value,
                            .targets = block->places + square->first};
    backend_of(block)->scores->find_targets(&tile, block->findings.taken + square->first);
}

static void score_targets(const Block *block) {
    const size_t square = square_of(block);
    uint32_t *targets = memory_need(square, sizeof *targets);
    for (size_t first = 0; first < block->choice->count; first += square) {
        const size_t left = block->choice->count - first, count = left < square ? left : square;
        for (size_t i = 0; i < count; i++)
            targets[i] = target_of(block, first + i);
        scorer_visit_tiles(block->scorer, block->states + first * block->scorer->vectors.dim, count,
                           &(Candidates){targets, count, false}, take_diagonal, &(Square){block, first});
    }
    free(targets);
}

/* ---- Standings ---- */

static void add_tile(void *context, const ScoredTile *scored) {
    const Block *block = context;
    const ScoreKernels *kernels = backend_of(block)->scores;
    const size_t row = scored->first_row;
    const ScoreTile tile = {.rows = scored->rows,
                            .count = scored->count,
                            .first = (uint32_t)scored->first + 1,
                            .scores = scored->scores->value,
                            .targets = block->targets + row,
                            .masked_offsets = block->masked_offsets + row,
                            .masked = block->masked};
    const Findings *findings = &block->findings;
    kernels->find_targets(&tile, findings->scores + row);
    kernels->add_standings(&tile, (is_one_tile(block) ? findings->scores : findings->taken) + row,
                           findings->standings + row);
}

static void count(Block *block, const uint32_t *items) {
    const size_t users = block->choice->count;
    float *standings = (float *)(void *)block->findings.standings;
    backend_of(block)->memory->fill(users * sizeof(Standing) / sizeof(float), 0, standings);
    scorer_visit_tiles(block->scorer, block->states, users,
                       &(Candidates){items, block->candidate_count, false}, add_tile, block);
}

/* Whether all targets scored in the tiles what they were taken to. If not, that is what they are taken to
 * next time. */
static bool targets_agree(const Block *block, const Findings *found) {
    const size_t users = block->choice->count;
    bool agree = true;
    for (size_t i = 0; i < users && agree; i++)
        agree = found->standings[i].bad || found->scores[i] == found->taken[i];
    if (!agree)
        backend_of(block)->memory->copy(users * sizeof(float), block->findings.scores, block->findings.taken);
    return agree;
}

static bool finish(const Block *block, const Findings *found, double *ranks, Error *error) {
    for (size_t i = 0; i < block->choice->count; i++)
        if (!standing_rank(&found->standings[i], &ranks[i], error))
            return error_prefix(
                error, "user \"%s\": ",
                behaviours_user_name(block->choice->behaviours, user_choice_number(block->choice, i), NULL));
    return true;
}

/* A product may round a score otherwise when it stands elsewhere in it, and then the target would not equal
 * itself and its like: candidates are counted again, with the scores that the tiles gave. */
bool scorer_rank_states(const Scorer *scorer, const float *states, const UserChoice *choice,
                        uint32_t candidate_count, double *ranks, Error *error) {
    uint32_t *items = scorer_all_items(candidate_count, error);
    if (!items) return false;
    Block block = block_create(scorer, states, choice, candidate_count);
    void *memory = memory_need(findings_size(choice->count), 1);
    const Findings found = findings_at(memory, choice->count);
    if (!is_one_tile(&block)) score_targets(&block);
    do {
        count(&block, items);
        backend_of(&block)->memory->download(findings_size(choice->count), block.findings.standings, memory);
    } while (!is_one_tile(&block) && !targets_agree(&block, &found));
    const bool fine = finish(&block, &found, ranks, error);
    arena_destroy(block.memory);
    free(items);
    free(memory);
    return fine;
}

/* Users are taken in blocks, so that a tile of candidates that was fetched serves many. */
bool scorer_ranks(const Scorer *scorer, const UserChoice *choice, uint32_t candidate_count, double *ranks,
                  Error *error) {
    const size_t users = scorer_users(scorer->tape->backend);
    const size_t most = choice->count < users ? choice->count : users;
    float *states = scorer_take(scorer, most);
    bool fine = true;
    for (size_t first = 0; first < choice->count && fine; first += users) {
        const size_t left = choice->count - first;
        UserChoice block = *choice;
        block.first += first;
        block.count = left < users ? left : users;
        scorer_states(scorer, &block, states);
        fine = scorer_rank_states(scorer, states, &block, candidate_count, ranks + first, error);
    }
    scorer_release(scorer, states, most);
    return fine;
}

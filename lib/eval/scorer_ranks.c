#include "core/memory.h"
#include "eval/scorer.h"

#include <string.h>

/* A block of users: how their targets stand. */
typedef struct Block {
    UserChoice choice;
    uint32_t candidate_count;
    Standing *standings;
    uint32_t *masked; /* the histories, for the standings */
    float *target_scores;
} Block;

static Sequence history_of(const UserChoice *choice, size_t i) {
    return split_history(choice->behaviours, choice->split, user_choice_number(choice, i));
}

static uint32_t target_of(const UserChoice *choice, size_t i) {
    return split_target(choice->behaviours, choice->split, user_choice_number(choice, i));
}

static void take_target_score(void *context, size_t row, const uint32_t *items, size_t count,
                              const float *scores) {
    (void)items, (void)count;
    Block *block = context;
    block->target_scores[row] = scores[row];
}

/* Of each user's row of scores of the block's targets, his own. Users and targets come in squares, which lie
 * on the diagonal of all. */
static void score_targets(const Scorer *scorer, const float *states, Block *block) {
    enum { SQUARE = 256 };
    uint32_t targets[SQUARE];
    for (size_t first = 0; first < block->choice.count; first += SQUARE) {
        const size_t left = block->choice.count - first, count = left < SQUARE ? left : SQUARE;
        for (size_t i = 0; i < count; i++)
            targets[i] = target_of(&block->choice, first + i);
        Block part = {.target_scores = block->target_scores + first};
        scorer_visit(scorer, states + first * scorer->vectors.dim, count,
                     &(Candidates){targets, count, false}, take_target_score, &part);
    }
}

static void start(Block *block) {
    uint32_t *masked = block->masked;
    for (size_t i = 0; i < block->choice.count; i++) {
        const Sequence history = history_of(&block->choice, i);
        const size_t count = distinct_items(history, block->candidate_count, masked);
        standing_start(&block->standings[i], target_of(&block->choice, i), block->target_scores[i], masked,
                       count);
        masked += count;
    }
}

static void add_tile(void *context, size_t row, const uint32_t *items, size_t count, const float *scores) {
    Block *block = context;
    standing_add(&block->standings[row], items[0], (uint32_t)count, scores);
}

/* Whether all targets scored in the tiles what they scored before. */
static bool targets_agree(Block *block) {
    bool agree = true;
    for (size_t i = 0; i < block->choice.count; i++) {
        const Standing *standing = &block->standings[i];
        if (standing->bad || standing->seen == standing->score) continue;
        block->target_scores[i] = standing->seen;
        agree = false;
    }
    return agree;
}

static bool finish(const Block *block, double *ranks, Error *error) {
    for (size_t i = 0; i < block->choice.count; i++)
        if (!standing_rank(&block->standings[i], &ranks[i], error))
            return error_prefix(
                error, "user \"%s\": ",
                behaviours_user_name(block->choice.behaviours, user_choice_number(&block->choice, i), NULL));
    return true;
}

static size_t history_room(const UserChoice *choice) {
    size_t room = 0;
    for (size_t i = 0; i < choice->count; i++)
        room += history_of(choice, i).count;
    return room;
}

/* A product may round a score otherwise when it stands elsewhere in it, and then the target would not equal
 * itself and its like: such users are counted again, with the score that the tiles gave. */
bool scorer_rank_states(const Scorer *scorer, const float *states, const UserChoice *choice,
                        uint32_t candidate_count, double *ranks, Error *error) {
    uint32_t *items = scorer_all_items(candidate_count, error);
    if (!items) return false;
    Block block = {.choice = *choice,
                   .candidate_count = candidate_count,
                   .standings = memory_need(choice->count, sizeof(Standing)),
                   .masked = memory_need(history_room(choice), sizeof(uint32_t)),
                   .target_scores = memory_need(choice->count, sizeof(float))};
    score_targets(scorer, states, &block);
    do {
        start(&block);
        scorer_visit(scorer, states, choice->count, &(Candidates){items, candidate_count, false}, add_tile,
                     &block);
    } while (!targets_agree(&block));
    const bool fine = finish(&block, ranks, error);
    free(items);
    free(block.standings);
    free(block.masked);
    free(block.target_scores);
    return fine;
}

bool scorer_ranks(const Scorer *scorer, const UserChoice *choice, uint32_t candidate_count, double *ranks,
                  Error *error) {
    const size_t most = choice->count < SCORER_USERS ? choice->count : SCORER_USERS;
    float *states = memory_need(most * scorer->vectors.dim, sizeof *states);
    bool fine = true;
    for (size_t first = 0; first < choice->count && fine; first += SCORER_USERS) {
        const size_t left = choice->count - first;
        UserChoice block = *choice;
        block.first += first;
        block.count = left < SCORER_USERS ? left : SCORER_USERS;
        scorer_states(scorer, &block, states);
        fine = scorer_rank_states(scorer, states, &block, candidate_count, ranks + first, error);
    }
    free(states);
    return fine;
}

/* Scores of candidates for users by a model, a tile of users × candidates at a time: what they take of memory
 * grows with neither. */
#ifndef EVAL_SCORER_H
#define EVAL_SCORER_H

#include "eval/item_vectors.h"
#include "eval/ranking.h"
#include "eval/top_k.h"
#include "model/recommender.h"

typedef struct Scorer {
    const Recommender *recommender;
    Tape *tape; /* that does not record */
    ItemVectors vectors;
} Scorer;

/* Users or items that are answered at a time, so that a tile of candidates that was fetched serves many. */
static inline size_t scorer_users(const Backend *backend) {
    return 8 * backend->score_rows;
}

/* The users users[first … first + count − 1]; with NULL those with the numbers first … first + count − 1. */
typedef struct UserChoice {
    const Behaviours *behaviours;
    Split split;
    const uint32_t *users;
    size_t first, count;
} UserChoice;

/* The number of user i of a choice, from 0. */
size_t user_choice_number(const UserChoice *choice, size_t i);

/* Room for the states of so many rows, in the backend's memory, and its end. */
float *scorer_take(const Scorer *scorer, size_t count);
void scorer_release(const Scorer *scorer, float *states, size_t count);

/* From there to the host's, and the other way. */
void scorer_read(const Scorer *scorer, const float *states, size_t count, float *to);
void scorer_write(const Scorer *scorer, const float *from, size_t count, float *states);

/* An arena of the backend's memory, and what is uploaded there. */
Arena *scorer_arena(const Scorer *scorer);
void *scorer_upload(const Scorer *scorer, Arena *arena, const void *from, size_t count, size_t size);

/* Where the users stand after their inputs, none of which is empty: states[count, D], in the backend's
 * memory. */
void scorer_states(const Scorer *scorer, const UserChoice *choice, float *states);

/* Takes scores[0 … count − 1] of the candidates items[0 … count − 1] for row `row` of the states. Called from
 * several threads, for one row at a time from one, its candidates from the first to the last. */
typedef void (*VisitScores)(void *context, size_t row, const uint32_t *items, size_t count,
                            const float *scores);

/* What the rows of states [state_count, D] are multiplied with: the vectors of items[item_count], with
 * `normalised` divided by their lengths. */
typedef struct Candidates {
    const uint32_t *items;
    size_t count;
    bool normalised;
} Candidates;

void scorer_visit(const Scorer *scorer, const float *states, size_t state_count, const Candidates *candidates,
                  VisitScores visit, void *context);

/* A tile of scores [rows, count] in the backend's memory: of the rows from first_row on, and of the
 * candidates from `first` on. */
typedef struct ScoredTile {
    size_t first_row, rows, first, count;
    const Tensor *scores;
} ScoredTile;

/* As scorer_visit, but leaves the scores where they are. */
typedef void (*VisitTile)(void *context, const ScoredTile *tile);
void scorer_visit_tiles(const Scorer *scorer, const float *states, size_t state_count,
                        const Candidates *candidates, VisitTile visit, void *context);

/* In scorer_best.c: the best candidates for each row of states, of as many as tops[state_count] have been
 * started with, the same for all. Nothing else has been added, nor can be afterwards. Where the backend is a
 * card it selects them, up to the most that its kernel keeps. */
void scorer_best(const Scorer *scorer, const float *states, size_t state_count, const Candidates *candidates,
                 TopK *tops);

/* Divides each row by its length; a row of zeros stays. */
void scorer_normalise(float *rows, size_t count, size_t dim);

/* The numbers 1 … count, to be freed. */
uint32_t *scorer_all_items(size_t count, Error *error);

/* In scorer_ranks.c: ranks[choice->count] of the users' targets among the items 1 … candidate_count. A
 * message names the user. */
bool scorer_ranks(const Scorer *scorer, const UserChoice *choice, uint32_t candidate_count, double *ranks,
                  Error *error);

/* The same from states that are there (in the backend's memory), all users as one block. */
bool scorer_rank_states(const Scorer *scorer, const float *states, const UserChoice *choice,
                        uint32_t candidate_count, double *ranks, Error *error);

#endif

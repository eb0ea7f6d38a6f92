/* The rank of a user's target among all candidates, without sampling.
 *
 * Candidates are the items 1 … candidate_count: item_count of the behaviours (the kept items) or known_count
 * (all). History scores −∞. rank = 1 + the candidates that score higher than the target + half of those that
 * score the same, so that a constant model ranks as chance does. A target that is itself in the history is
 * masked like the rest of it, as in the released code, and so comes after all that is not: what is measured
 * is the recommendation of something new. */
#ifndef EVAL_RANKING_H
#define EVAL_RANKING_H

#include "data/split.h"
#include "nn/backend/kernels.h"

/* The items of a history that are candidates, each once, rising: to items[history.count]; returns how many.
 */
size_t distinct_items(Sequence history, uint32_t candidate_count, uint32_t *items);

/* Where an item is among such items; NULL: nowhere. */
const uint32_t *find_item(uint32_t item, const uint32_t *items, size_t count);

static inline bool is_masked(uint32_t item, const uint32_t *masked, size_t count) {
    return find_item(item, masked, count);
}

/* The rank of a target after all candidates. A score that is not a number is an error. */
bool standing_rank(const Standing *standing, double *rank, Error *error);

/* scores[candidate_count + 1], of which scores[0], the padding, is not read. A score that is not a number is
 * an error. History may be in any order and name an item more than once. */
bool rank_target(const float *scores, uint32_t candidate_count, uint32_t target, Sequence history,
                 double *rank, Error *error);

/* Writes scores[1 … candidate_count] of a user; called from several threads. */
typedef void (*ScoreUser)(const void *context, size_t user, uint32_t candidate_count, float *scores);

/* The ranks of all users, ranks[user_count], in parallel and with one row of scores for each thread. A
 * message names the user. */
bool rank_users(const Behaviours *behaviours, Split split, uint32_t candidate_count, ScoreUser score,
                const void *context, double *ranks, Error *error);

#endif

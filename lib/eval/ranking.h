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

/* How a user's target stands among the candidates that were seen. */
typedef struct Standing {
    uint32_t target;
    bool is_masked;              /* the target is in the history */
    float score;                 /* the target's; −∞ when it is masked */
    float seen;                  /* the target's among the candidates; until then as `score` */
    uint32_t higher, equal;      /* candidates */
    uint32_t bad;                /* a candidate whose score is not a number; 0: none */
    const uint32_t *masked;      /* the history's candidates, each once, rising */
    size_t masked_count, passed; /* passed: those of them that were seen */
} Standing;

/* The items of a history that are candidates, each once, rising: to items[history.count]; returns how many.
 */
size_t distinct_items(Sequence history, uint32_t candidate_count, uint32_t *items);

/* `masked` must last as long as the standing. */
void standing_start(Standing *standing, uint32_t target, float score, const uint32_t *masked,
                    size_t masked_count);

/* Adds the candidates first … first + count − 1, all before which were added. */
void standing_add(Standing *standing, uint32_t first, uint32_t count, const float *scores);

/* After all candidates. A score that is not a number is an error. */
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

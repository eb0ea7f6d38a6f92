/* Ranks of all users' targets by a model. */
#ifndef EVAL_SCORER_H
#define EVAL_SCORER_H

#include "eval/ranking.h"
#include "model/recommender.h"

/* ranks[user_count] from item vectors [candidate_count + 1, D] by item number, the padding item's first. The
 * tape must not record. */
bool scorer_ranks(const Recommender *recommender, Tape *tape, const float *vectors,
                  const Behaviours *behaviours, Split split, uint32_t candidate_count, double *ranks,
                  Error *error);

#endif

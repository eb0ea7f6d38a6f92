/* What of a batch, and of a validation, each rank takes. */
#ifndef TRAIN_SHARES_H
#define TRAIN_SHARES_H

#include "train/trainer.h"

/* Of a batch; in the tape's arena. */
BatchShares shares_of_batch(const Trainer *trainer, const TrainingRows *rows);

/* The rows of item vectors by rank: those of its items, and behind the last rank's the padding item's. */
Segments shares_vectors(const BatchShares *shares, bool padding, Tape *tape);

/* This rank's part of all users' inputs: its users and where their positions begin. */
UserRows shares_inputs(const BatchShares *shares, const UserRows *all, Tape *tape);
size_t shares_first_position(const BatchShares *shares, const UserRows *all);

/* The losses of the step's report, added up over the ranks: of all parts of the objective, and their sum
 * behind them; NAN where the batch gave a part nothing, and for a part that is the only one. */
void shares_losses(const Trainer *trainer, double sums[OBJECTIVE_MOST_PARTS + 1]);

/* Makes the divergence that a rank found first that of all. */
void shares_agree_on_divergence(Trainer *trainer);

#endif

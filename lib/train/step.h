/* One batch of a training forward and backward, and the update that follows. */
#ifndef TRAIN_STEP_H
#define TRAIN_STEP_H

#include "train/trainer.h"

/* Forward and backward; the gradients are added to those that wait. A batch that gives no loss counts for
 * nothing. A loss that is not finite is a divergence. */
bool step_run(Trainer *trainer, const Batch *batch, Error *error);

/* Moves the parameters by the gradients that wait, the rates multiplied with `factor`. A gradient that is not
 * finite is a divergence, and moves nothing. */
void step_update(Trainer *trainer, double factor);

#endif

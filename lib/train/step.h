/* One batch of a training forward and backward, and the update that follows. */
#ifndef TRAIN_STEP_H
#define TRAIN_STEP_H

#include "train/trainer.h"

/* Forward and backward; the gradients are added to those that wait. A batch that gives no loss counts for
 * nothing. */
bool step_run(Trainer *trainer, const Batch *batch, Error *error);

/* Moves the parameters by the gradients that wait, the rates multiplied with `factor`. */
bool step_update(Trainer *trainer, double factor, Error *error);

/* Looks at what the last step found out, and writes it to the log: what is not finite is a divergence; such a
 * gradient has moved nothing. On a card that is the last thing to wait for: the next step does so once it has
 * been given to the card; so does what reads the state. */
bool step_settle(Trainer *trainer, Error *error);

#endif

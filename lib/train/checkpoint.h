/* The state of a training run after an epoch, to go on from when it was interrupted: parameters, moments, the
 * best model so far. It goes on exactly as if it had not been. */
#ifndef TRAIN_CHECKPOINT_H
#define TRAIN_CHECKPOINT_H

#include "train/trainer.h"

/* Writes the trainer's checkpoint, beside and renamed. Nothing without --checkpoint. */
bool checkpoint_write(const Trainer *trainer, Error *error);

/* Takes up the checkpoint when the file is there. One of other settings or behaviours is an error. *log_size
 * receives how much of the training log was written by then. */
bool checkpoint_read(Trainer *trainer, uint64_t *log_size, Error *error);

#endif

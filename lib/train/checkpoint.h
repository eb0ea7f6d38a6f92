/* The state of a training run after a batch or an epoch, to go on from when it was interrupted: parameters,
 * moments, gradients that wait, the model that is kept. It goes on exactly as if it had not been. */
#ifndef TRAIN_CHECKPOINT_H
#define TRAIN_CHECKPOINT_H

#include "train/trainer.h"

/* Writes the trainer's checkpoint, beside and renamed, after what there is of the log is on the disk. */
bool checkpoint_write(Trainer *trainer, Error *error);

/* Takes up the checkpoint when the file is there (and --restart was not given). One of a run with other
 * settings or inputs is an error that names the difference. *log_bytes receives how much of the training log
 * was written by then; it stays as it is without a checkpoint. */
bool checkpoint_read(Trainer *trainer, int64_t *log_bytes, Error *error);

#endif

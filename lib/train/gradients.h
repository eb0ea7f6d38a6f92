/* The gradients that wait, of all ranks together. */
#ifndef TRAIN_GRADIENTS_H
#define TRAIN_GRADIENTS_H

#include "train/trainer.h"

/* Adds them up, in the order of the ranks, on all ranks alike. Forgets the tape's step. */
void gradients_sum(const Trainer *trainer);

/* Leaves them to rank 0 alone, so that they count once at the next sum. */
void gradients_keep_once(const Trainer *trainer);

#endif

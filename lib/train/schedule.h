/* How the learning rate goes down from epoch to epoch. */
#ifndef TRAIN_SCHEDULE_H
#define TRAIN_SCHEDULE_H

#include "model/settings.h"

/* What the learning rates of epoch 0 … epochs − 1 are multiplied with: constant 1; step a tenth after
 * every `gap` epochs; cosine half a wave down to 0.1; linear a straight line that would reach 0 after the
 * last epoch. */
double schedule_factor(Schedule schedule, int64_t epoch, int64_t epochs, int64_t gap);

/* What the rates of update 0 … updates − 1 are multiplied with besides: rising in a straight line to 1 within
 * the first `warmup` of them, or, below 1, within this share of all. */
double warmup_factor(double warmup, uint64_t update, uint64_t updates);

#endif

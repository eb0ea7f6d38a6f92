/* The model that a training ends with, as a file. */
#ifndef TRAIN_OUTPUT_H
#define TRAIN_OUTPUT_H

#include "train/trainer.h"
#include "train/weights.h"

/* Writes the parameters and what was kept frozen beside them, with a header that says how they came about. */
bool output_write(const Trainer *trainer, const TrainInputs *inputs, const TrainWeights *weights,
                  const TrainRequest *request, const Program *program, Error *error);

#endif

/* What makes a run the one that it is. */
#ifndef TRAIN_RUN_IDENTITY_H
#define TRAIN_RUN_IDENTITY_H

#include "train/weights.h"

/* The contents of all files that were read, by their roles, which are called as the options are. */
json_t *run_contents(const TrainInputs *inputs, const TrainWeights *weights);

/* All that the bytes of the result follow from, by the names of options: settings, also those that say
 * nothing (null), and contents; not for how long to train where nothing depends on it. */
json_t *run_identity(const TrainRequest *request, const TrainInputs *inputs, const TrainWeights *weights);

/* Whether all ranks have the identity of rank 0, and what else they must do together; the message names what
 * differs. */
bool run_identity_agrees(const json_t *identity, const TrainRequest *request, Error *error);

#endif

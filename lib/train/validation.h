/* How well the model ranks the users' validation targets. */
#ifndef TRAIN_VALIDATION_H
#define TRAIN_VALIDATION_H

#include "eval/metrics.h"
#include "train/trainer.h"

/* HR and NDCG, the first cutoff being the one that counts. A vector or a score that is not finite is a
 * divergence. */
bool validation_run(Trainer *trainer, Metrics *metrics, Error *error);

#endif

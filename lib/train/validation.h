/* How well the model ranks the users' validation targets. */
#ifndef TRAIN_VALIDATION_H
#define TRAIN_VALIDATION_H

#include "eval/metrics.h"
#include "train/trainer.h"

/* Takes the metric and the users from the settings. */
bool validation_plan(ValidationPlan *plan, const Settings *settings, const Behaviours *behaviours,
                     Error *error);
void validation_plan_free(ValidationPlan *plan);

/* The metric that chooses. */
double validation_score(const ValidationPlan *plan, const Metrics *metrics);

/* HR and NDCG at 10, 5, 20 and the cutoff that chooses. A vector or a score that is not finite is a
 * divergence. */
bool validation_run(Trainer *trainer, Metrics *metrics, Error *error);

/* In baseline_note.c: says so when the kept model ended below popularity or co-occurrence. Those are ranked
 * with at most 2,000 of the users, and co-occurrence is left out where its table would take long. */
void validation_compare(const Trainer *trainer);

#endif

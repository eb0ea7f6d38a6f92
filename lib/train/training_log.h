/* The training log: a JSON object a line, one for each step and one for each epoch. What it says depends on
 * the run alone, and on no clock, so that a run that was interrupted writes the same. */
#ifndef TRAIN_TRAINING_LOG_H
#define TRAIN_TRAINING_LOG_H

#include "core/error.h"

#include <jansson.h>
#include <stdint.h>

typedef struct TrainingLog TrainingLog;

/* How much of a log a checkpoint remembers, in place of the bytes where that is no number of them. */
#define TRAINING_LOG_NONE (-1) /* there was no log, or it was no file (a pipe, a terminal) */
#define TRAINING_LOG_NEW (-2)  /* there is no checkpoint */

/* NULL path: a log that keeps nothing. Of a log that is gone on with `kept` bytes stay, or what there is of
 * them, and a warning says what is missing. */
TrainingLog *training_log_open(const char *path, int64_t kept, Error *error);

/* Appends an object (stolen) as a line that a reader sees at once. */
bool training_log_write(TrainingLog *log, json_t *object, Error *error);

/* Bytes written so far, which are on the disk then, or TRAINING_LOG_NONE. */
bool training_log_sync(TrainingLog *log, int64_t *bytes, Error *error);

bool training_log_close(TrainingLog *log, Error *error);

#endif

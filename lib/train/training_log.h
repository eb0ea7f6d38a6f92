/* The training log: a JSON object a line, one for each step and one for each epoch. */
#ifndef TRAIN_TRAINING_LOG_H
#define TRAIN_TRAINING_LOG_H

#include "core/error.h"

#include <jansson.h>
#include <stdint.h>

typedef struct TrainingLog TrainingLog;

/* NULL path: a log that keeps nothing. After a checkpoint `kept_bytes` of the file stay and writing goes on
 * behind. */
TrainingLog *training_log_open(const char *path, uint64_t kept_bytes, Error *error);

/* Appends an object (stolen) as a line that a reader sees at once. */
bool training_log_write(TrainingLog *log, json_t *object, Error *error);

/* Bytes written so far. */
uint64_t training_log_size(const TrainingLog *log);
bool training_log_close(TrainingLog *log, Error *error);

#endif

#ifndef TRAIN_SCHEDULE_H
#define TRAIN_SCHEDULE_H
#include <stdint.h>
double schedule_factor(const char *name, int64_t epoch, int64_t epochs, int64_t gap);
#endif

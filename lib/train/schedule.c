#include "train/schedule.h"
double schedule_factor(const char *name, int64_t epoch, int64_t epochs, int64_t gap) {
    (void)name, (void)epoch, (void)epochs, (void)gap;
    return 1;
}

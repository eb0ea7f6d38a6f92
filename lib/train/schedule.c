#include "train/schedule.h"

#include <math.h>

double schedule_factor(Schedule schedule, int64_t epoch, int64_t epochs, int64_t gap) {
    const double part = (double)epoch / (double)epochs;
    switch (schedule) {
    case SCHEDULE_STEP:
        return pow(0.1, floor((double)epoch / (double)gap));
    case SCHEDULE_COSINE:
        return fmax(0.1, 0.5 * (1 + cos(M_PI * part)));
    case SCHEDULE_LINEAR:
        return fmax(0, (double)(epochs - epoch) / (double)epochs);
    case SCHEDULE_CONSTANT:
        break;
    }
    return 1;
}

double warmup_factor(double warmup, uint64_t update, uint64_t updates) {
    const double length = warmup < 1 ? warmup * (double)updates : warmup;
    return fmin(1, (double)(update + 1) / fmax(length, 1));
}

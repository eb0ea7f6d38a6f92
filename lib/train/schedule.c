#include "train/schedule.h"

#include <assert.h>
#include <math.h>
#include <string.h>

double schedule_factor(const char *name, int64_t epoch, int64_t epochs, int64_t gap) {
    const double part = (double)epoch / (double)epochs;
    const int64_t steps = epoch / gap;
    if (!strcmp(name, "step")) return pow(0.1, (double)steps);
    if (!strcmp(name, "cosine")) return fmax(0.1, 0.5 * (1 + cos(M_PI * part)));
    if (!strcmp(name, "linear")) return fmax(0, (double)(epochs - epoch) / (double)epochs);
    assert(!strcmp(name, "constant"));
    return 1;
}

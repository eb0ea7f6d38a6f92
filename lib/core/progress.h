/* A line on a terminal that says how far, how fast and how long still. Silent elsewhere and with -q. */
#ifndef CORE_PROGRESS_H
#define CORE_PROGRESS_H

#include <stdint.h>

typedef struct Progress {
    const char *noun; /* what is counted, in the plural */
    uint64_t total;   /* 0: unknown */
    double started, shown;
} Progress;

void progress_start(Progress *progress, const char *noun, uint64_t total);
void progress_update(Progress *progress, uint64_t done);
void progress_finish(Progress *progress);

/* Seconds of a clock that never goes back. */
double progress_clock(void);

#endif

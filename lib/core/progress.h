/* A line on a terminal that says how far, how fast and how long still. Silent elsewhere and with -q. */
#ifndef CORE_PROGRESS_H
#define CORE_PROGRESS_H

#include <stdint.h>

typedef struct Progress {
    const char *noun; /* what is counted, in the plural */
    uint64_t total;   /* 0: unknown */
    double started, shown;
    uint64_t first; /* how many were done when it started */
    char part[48];  /* of the work that is under way, or empty */
} Progress;

void progress_start(Progress *progress, const char *noun, uint64_t total);
/* As progress_start where `first` of `total` were done before. */
void progress_start_at(Progress *progress, const char *noun, uint64_t first, uint64_t total);

/* Names the part of the work that comes now ("epoch 2 of 5"). */
void progress_describe(Progress *progress, const char *format, ...) __attribute__((format(printf, 2, 3)));

void progress_update(Progress *progress, uint64_t done);
void progress_finish(Progress *progress);

/* Seconds of a clock that never goes back. */
double progress_clock(void);

#endif

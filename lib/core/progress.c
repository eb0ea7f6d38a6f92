#include "core/progress.h"

#include "core/log.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

double progress_clock(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static bool visible(void) {
    return log_level() != LOG_QUIET && isatty(STDERR_FILENO);
}

void progress_start(Progress *progress, const char *noun, uint64_t total) {
    *progress = (Progress){noun, total, progress_clock(), 0};
}

void progress_update(Progress *progress, uint64_t done) {
    const double now = progress_clock();
    if (now - progress->shown < 0.2 || !visible()) return;
    progress->shown = now;
    const double rate = (double)done / (now - progress->started + 1e-9);
    if (progress->total)
        log_progress("%" PRIu64 "/%" PRIu64 " %s  %.0f/s  %.0f s left", done, progress->total, progress->noun,
                     rate, (double)(progress->total - done) / (rate + 1e-9));
    else
        log_progress("%" PRIu64 " %s  %.0f/s", done, progress->noun, rate);
}

void progress_finish(Progress *progress) {
    if (progress->shown > 0) log_end_progress();
}

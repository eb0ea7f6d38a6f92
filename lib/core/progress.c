#include "core/progress.h"

#include "core/log.h"

#include <inttypes.h>
#include <stdarg.h>
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
    return log_level() > LOG_QUIET && isatty(STDERR_FILENO);
}

void progress_start(Progress *progress, const char *noun, uint64_t total) {
    progress_start_at(progress, noun, 0, total);
}

void progress_start_at(Progress *progress, const char *noun, uint64_t first, uint64_t total) {
    *progress = (Progress){.noun = noun, .total = total, .started = progress_clock(), .first = first};
}

void progress_describe(Progress *progress, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(progress->part, sizeof progress->part, format, arguments);
    va_end(arguments);
}

void progress_update(Progress *progress, uint64_t done) {
    const double now = progress_clock();
    if (now - progress->shown < 0.2 || !visible()) return;
    progress->shown = now;
    const double rate = (double)(done - progress->first) / (now - progress->started + 1e-9);
    const char *part = progress->part, *colon = *part ? ": " : "";
    if (progress->total)
        log_progress("%s%s%" PRIu64 "/%" PRIu64 " %s  %.0f/s  %.0f s left", part, colon, done,
                     progress->total, progress->noun, rate, (double)(progress->total - done) / (rate + 1e-9));
    else
        log_progress("%s%s%" PRIu64 " %s  %.0f/s", part, colon, done, progress->noun, rate);
}

void progress_finish(Progress *progress) {
    if (progress->shown > 0) log_end_progress();
}

#include "train/training_log.h"

#include "core/file.h"
#include "core/log.h"
#include "core/memory.h"
#include "core/output_target.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct TrainingLog {
    FILE *file;
    const char *path;
    OutputFile *in_place; /* NULL: a file that can be gone on with */
};

static bool cannot_write(const TrainingLog *log, Error *error) {
    return error_set_errno(error, "cannot write %s", log->path);
}

/* The end of the last whole line among the first `size` bytes. */
static int64_t last_line_end(FILE *file, int64_t size) {
    int64_t end = 0;
    rewind(file);
    for (int64_t at = 1; at <= size; at++)
        if (getc_unlocked(file) == '\n') end = at;
    return end;
}

/* Cuts off what was written after the checkpoint. */
static bool go_on(TrainingLog *log, int64_t kept, Error *error) {
    if (fseeko(log->file, 0, SEEK_END)) return cannot_write(log, error);
    const int64_t size = ftello(log->file);
    if (size < kept) {
        log_warning("%s has %" PRId64 " bytes, and had %" PRId64
                    " at the checkpoint: lines are missing, and what comes now goes behind those there are",
                    log->path, size, kept);
        kept = last_line_end(log->file, size);
    }
    return (!ftruncate(fileno(log->file), (off_t)kept) && !fseeko(log->file, (off_t)kept, SEEK_SET)) ||
           cannot_write(log, error);
}

static bool open_file(TrainingLog *log, const char *path, int64_t kept, Error *error) {
    if (kept >= 0) {
        log->file = fopen(path, "r+be");
        if (log->file) return go_on(log, kept, error);
        if (errno != ENOENT) return cannot_write(log, error);
        if (kept) log_warning("%s is gone: a new log begins where the checkpoint ends", log->path);
    }
    if (kept == TRAINING_LOG_NONE)
        log_warning("%s: there was no log at the checkpoint: it begins where that ends", log->path);
    log->file = fopen(path, "wbe");
    return log->file || cannot_write(log, error);
}

static bool open_log(TrainingLog *log, int64_t kept, Error *error) {
    OutputTarget target = {.kind = TARGET_DESCRIPTOR}; /* "-" */
    if (!log->path) return true;
    if (strcmp(log->path, "-") && !output_target_find(&target, log->path, error)) return false;
    const bool is_file = target.kind == TARGET_FILE,
               fine = !is_file || open_file(log, target.path, kept, error);
    output_target_free(&target);
    if (is_file) return fine;
    log->in_place = output_file_open(log->path, error);
    if (log->in_place) log->file = output_file_stream(log->in_place);
    return log->in_place;
}

TrainingLog *training_log_open(const char *path, int64_t kept, Error *error) {
    TrainingLog *log = memory_need(1, sizeof *log);
    log->path = path;
    if (open_log(log, kept, error)) return log;
    if (log->file) fclose(log->file);
    free(log);
    return NULL;
}

bool training_log_write(TrainingLog *log, json_t *object, Error *error) {
    bool fine = true;
    if (log->file) {
        fine = !json_dumpf(object, log->file, JSON_COMPACT | JSON_REAL_PRECISION(9)) &&
               fputc('\n', log->file) != EOF && !fflush(log->file);
        if (!fine) cannot_write(log, error);
    }
    json_decref(object);
    return fine;
}

bool training_log_sync(TrainingLog *log, int64_t *bytes, Error *error) {
    *bytes = TRAINING_LOG_NONE;
    if (!log->file || log->in_place) return true;
    if (fflush(log->file) || fsync(fileno(log->file))) return cannot_write(log, error);
    *bytes = ftello(log->file);
    return true;
}

bool training_log_close(TrainingLog *log, Error *error) {
    bool fine = true;
    if (log->in_place)
        fine = output_file_commit(log->in_place, error);
    else if (log->file)
        fine = !fclose(log->file) || cannot_write(log, error);
    free(log);
    return fine;
}

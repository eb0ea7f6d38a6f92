#include "train/training_log.h"

#include "core/memory.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct TrainingLog {
    FILE *file;
    const char *path;
};

TrainingLog *training_log_open(const char *path, uint64_t kept_bytes, Error *error) {
    TrainingLog *log = memory_need(1, sizeof *log);
    log->path = path;
    if (!path) return log;
    log->file = fopen(path, kept_bytes ? "r+b" : "wb");
    if (log->file && (!kept_bytes || (!ftruncate(fileno(log->file), (off_t)kept_bytes) &&
                                      !fseeko(log->file, (off_t)kept_bytes, SEEK_SET))))
        return log;
    error_set_errno(error, "cannot write %s", path);
    if (log->file) fclose(log->file);
    free(log);
    return NULL;
}

bool training_log_write(TrainingLog *log, json_t *object, Error *error) {
    bool fine = true;
    if (log->file) {
        fine = !json_dumpf(object, log->file, JSON_COMPACT | JSON_REAL_PRECISION(9)) &&
               fputc('\n', log->file) != EOF && !fflush(log->file);
        if (!fine) error_set_errno(error, "cannot write %s", log->path);
    }
    json_decref(object);
    return fine;
}

uint64_t training_log_size(const TrainingLog *log) {
    return log->file ? (uint64_t)ftello(log->file) : 0;
}

bool training_log_close(TrainingLog *log, Error *error) {
    const bool fine =
        !log->file || !fclose(log->file) || error_set_errno(error, "cannot write %s", log->path);
    free(log);
    return fine;
}

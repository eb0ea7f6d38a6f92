#include "core/file.h"

#include "core/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct OutputFile {
    FILE *stream;
    char *path;      /* the target; NULL for standard output */
    char *temporary; /* where it is written; NULL when written in place (a device or a pipe) */
    OutputFile *next;
};

/* The files being written, so that an interrupted program takes its half-written ones away. */
static OutputFile *open_files;

static void remove_and_die(int signal_number) {
    for (const OutputFile *file = open_files; file; file = file->next)
        if (file->temporary) unlink(file->temporary);
    signal(signal_number, SIG_DFL);
    raise(signal_number);
}

static void watch_signals(void) {
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGPIPE, SIGXFSZ};
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
        if (signal(signals[i], remove_and_die) == SIG_IGN) signal(signals[i], SIG_IGN);
}

static bool is_standard(const char *path) {
    return !path || !strcmp(path, "-");
}

static bool open_beside(OutputFile *file, Error *error) {
    struct stat status;
    if (!stat(file->path, &status) &&
        !S_ISREG(status.st_mode)) { /* a device, a pipe, or an error for fopen */
        file->stream = fopen(file->path, "wb");
        return file->stream || error_set_errno(error, "cannot write %s", file->path);
    }
    if (asprintf(&file->temporary, "%s.XXXXXX", file->path) < 0) abort();
    const int descriptor = mkostemp(file->temporary, O_CLOEXEC);
    if (descriptor < 0) {
        error_set_errno(error, "cannot write %s", file->path);
        free(file->temporary);
        file->temporary = NULL;
        return false;
    }
    const mode_t mask = umask(0);
    umask(mask);
    fchmod(descriptor, 0666 & ~mask);
    file->stream = fdopen(descriptor, "wb");
    return true;
}

static void output_file_free(OutputFile *file) {
    OutputFile **link = &open_files;
    while (*link && *link != file)
        link = &(*link)->next;
    if (*link) *link = file->next;
    free(file->path);
    free(file->temporary);
    free(file);
}

OutputFile *output_file_open(const char *path, Error *error) {
    OutputFile *file = memory_need(1, sizeof *file);
    if (!open_files) watch_signals();
    file->next = open_files;
    open_files = file; /* before there is a file that a signal would leave behind */
    if (is_standard(path)) {
        file->stream = stdout;
        return file;
    }
    file->path = memory_copy_text(path, strlen(path));
    if (open_beside(file, error)) return file;
    output_file_free(file);
    return NULL;
}

FILE *output_file_stream(OutputFile *file) {
    return file->stream;
}

const char *output_file_name(const OutputFile *file) {
    return file->path ? file->path : "standard output";
}

const char *output_file_temporary(const OutputFile *file) {
    return file->temporary;
}

bool output_file_commit(OutputFile *file, Error *error) {
    bool fine = !fflush(file->stream) && !ferror(file->stream);
    if (!fine) error_set_errno(error, "cannot write %s", output_file_name(file));
    if (fine && file->temporary && fsync(fileno(file->stream)))
        fine = error_set_errno(error, "cannot write %s", file->path);
    if (file->stream != stdout && fclose(file->stream) && fine)
        fine = error_set_errno(error, "cannot write %s", file->path);
    if (fine && file->temporary && rename(file->temporary, file->path))
        fine = error_set_errno(error, "cannot rename %s to %s", file->temporary, file->path);
    if (!fine && file->temporary) unlink(file->temporary);
    output_file_free(file);
    return fine;
}

void output_file_abandon(OutputFile *file) {
    if (!file) return;
    if (file->stream != stdout) fclose(file->stream);
    if (file->temporary) unlink(file->temporary);
    output_file_free(file);
}

static unsigned char *read_all(FILE *stream, const char *name, size_t limit, size_t *size, Error *error) {
    unsigned char *bytes = NULL;
    size_t capacity = 0, used = 0, got;
    do {
        bytes = memory_grow(bytes, &capacity, used + 65537, 1);
        got = fread(bytes + used, 1, capacity - used - 1, stream);
        used += got;
        if (used > limit) {
            error_set(error, "%s: larger than the limit of %zu bytes for such a file", name, limit);
            free(bytes);
            return NULL;
        }
    } while (got > 0);
    if (ferror(stream)) {
        error_set_errno(error, "cannot read %s", name);
        free(bytes);
        return NULL;
    }
    bytes[used] = 0;
    *size = used;
    return bytes;
}

unsigned char *file_read(const char *path, size_t limit, size_t *size, Error *error) {
    FILE *stream = is_standard(path) ? stdin : fopen(path, "rb");
    if (!stream) {
        error_set_errno(error, "cannot read %s", path);
        return NULL;
    }
    unsigned char *bytes = read_all(stream, file_display_name(path), limit, size, error);
    if (stream != stdin) fclose(stream);
    return bytes;
}

const char *file_display_name(const char *path) {
    return is_standard(path) ? "standard input" : path;
}

#include "core/file.h"

#include "core/cleanup.h"
#include "core/hidden_file.h"
#include "core/memory.h"
#include "core/output_target.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

struct OutputFile {
    FILE *stream;
    char *path; /* as it was given; NULL for standard output */
    OutputTarget target;
    char *temporary;  /* the name that it has until it is committed; NULL while it has none */
    char unnamed[32]; /* the way to a file without a name, or empty */
    bool is_kept;     /* also when it is not committed */
};

static bool is_standard(const char *path) {
    return !path || !strcmp(path, "-");
}

static bool cannot_write(const OutputFile *file, Error *error) {
    return error_set_errno(error, "cannot write %s", output_file_name(file));
}

static void take_name(OutputFile *file) {
    file->temporary = hidden_file_name(file->target.path);
    cleanup_add(file->temporary);
}

static void drop_name(OutputFile *file) {
    if (!file->temporary) return;
    cleanup_forget(file->temporary);
    free(file->temporary);
    file->temporary = NULL;
}

static void remove_temporary(OutputFile *file) {
    if (file->temporary && !file->is_kept) unlink(file->temporary);
    drop_name(file);
}

/* What is replaced keeps its mode and, where that is allowed, its owner. Until it is complete (`more` is 0
 * then) whoever goes on with it or removes it must be able to open it. */
static void take_mode(const OutputFile *file, int descriptor, mode_t more) {
    const struct stat *status = &file->target.status;
    if (!file->target.exists) return;
    if (fchown(descriptor, status->st_uid, status->st_gid)) errno = 0; /* only root gives files away */
    fchmod(descriptor, (status->st_mode & 07777) | more);
}

/* Locked, unless somebody else holds it; what was given its final name meanwhile is left alone. */
static int open_part(const char *path) {
    for (;;) {
        struct stat opened, named;
        const int descriptor = open(path, O_CREAT | O_RDWR | O_CLOEXEC, 0666);
        if (descriptor < 0) return -1;
        const bool locked = !flock(descriptor, LOCK_EX | LOCK_NB);
        if (locked && !fstat(descriptor, &opened) && !stat(path, &named) && is_same_inode(&opened, &named))
            return descriptor;
        const int number = errno;
        close(descriptor);
        errno = number;
        if (!locked) return -1;
    }
}

static int open_kept(OutputFile *file, Error *error) {
    hidden_files_remove_left(file->target.path);
    file->temporary = memory_format("%s.part", file->target.path);
    const int descriptor = open_part(file->temporary);
    if (descriptor >= 0) {
        take_mode(file, descriptor, S_IRUSR | S_IWUSR);
        return descriptor;
    }
    if (errno == EWOULDBLOCK)
        error_set(error, "%s: another program is writing it", file->temporary);
    else
        error_set_errno(error, "cannot write %s", file->temporary);
    return -1;
}

/* Whether a file that was made without a name cannot get one later, as a probe found. */
static bool names_only;

/* A file of which nothing is left when the program is killed; −1 where there is no such thing. */
static int open_unnamed(OutputFile *file) {
    if (names_only) return -1;
    char *folder = folder_of(file->target.path);
    int descriptor = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0666);
    free(folder);
    if (descriptor < 0) return -1;
    hidden_file_lock(descriptor); /* before it has a name */
    snprintf(file->unnamed, sizeof file->unnamed, "/proc/self/fd/%d", descriptor);
    if (!access(file->unnamed, F_OK)) return descriptor;
    close(descriptor);
    *file->unnamed = 0;
    return -1;
}

static bool give_name(OutputFile *file) {
    take_name(file);
    return !linkat(AT_FDCWD, file->unnamed, AT_FDCWD, file->temporary, AT_SYMLINK_FOLLOW);
}

static int open_named(OutputFile *file) {
    for (;;) {
        take_name(file);
        const int descriptor = open(file->temporary, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0666);
        if (descriptor >= 0 && hidden_file_lock(descriptor)) return descriptor;
        drop_name(file);
        if (descriptor < 0) return -1;
        close(descriptor); /* another writer was quicker, and removes it */
    }
}

static int open_beside(OutputFile *file) {
    hidden_files_remove_left(file->target.path);
    int descriptor = open_unnamed(file);
    if (descriptor < 0) descriptor = open_named(file);
    if (descriptor >= 0) take_mode(file, descriptor, S_IRUSR | S_IWUSR);
    return descriptor;
}

static int open_descriptor(OutputFile *file) {
    switch (file->target.kind) {
    case TARGET_DESCRIPTOR:
        return fcntl(file->target.descriptor, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    case TARGET_DEVICE:
        return open(file->target.path, O_WRONLY | O_TRUNC | O_NOCTTY | O_CLOEXEC);
    case TARGET_FILE:
        break;
    }
    return open_beside(file);
}

static bool open_output(OutputFile *file, Error *error) {
    if (!output_target_find(&file->target, file->path, error)) return false;
    const int descriptor = open_descriptor(file);
    if (descriptor < 0) return cannot_write(file, error);
    file->stream = fdopen(descriptor, "wb");
    if (file->stream) return true;
    cannot_write(file, error);
    close(descriptor);
    return false;
}

static void output_file_free(OutputFile *file) {
    output_target_free(&file->target);
    free(file->path);
    free(file);
}

OutputFile *output_file_open(const char *path, Error *error) {
    OutputFile *file = memory_need(1, sizeof *file);
    file->stream = stdout;
    if (is_standard(path)) return file;
    cleanup_start();
    file->path = memory_copy_text(path, strlen(path));
    if (open_output(file, error)) return file;
    remove_temporary(file);
    output_file_free(file);
    return NULL;
}

OutputFile *output_file_open_kept(const char *path, Error *error) {
    OutputFile *file = memory_need(1, sizeof *file);
    file->is_kept = true;
    file->path = memory_copy_text(path, strlen(path));
    bool fine = output_target_find(&file->target, path, error);
    if (fine && file->target.kind != TARGET_FILE) fine = error_set(error, "%s: not a regular file", path);
    const int descriptor = fine ? open_kept(file, error) : -1;
    if (descriptor >= 0 && (file->stream = fdopen(descriptor, "r+b"))) return file;
    if (descriptor >= 0) close(descriptor);
    drop_name(file);
    output_file_free(file);
    return NULL;
}

bool output_file_probe(const char *path, Error *error) {
    OutputTarget target;
    if (is_standard(path)) return true;
    if (!output_target_find(&target, path, error)) return false;
    const bool is_file = target.kind == TARGET_FILE;
    output_target_free(&target);
    if (!is_file) return true;
    OutputFile *file = output_file_open(path, error);
    if (file && *file->unnamed && !give_name(file)) names_only = true;
    output_file_abandon(file);
    return file != NULL;
}

FILE *output_file_stream(OutputFile *file) {
    return file->stream;
}

const char *output_file_name(const OutputFile *file) {
    return file->path ? file->path : "standard output";
}

const char *output_file_temporary(const OutputFile *file) {
    return *file->unnamed ? file->unnamed : file->temporary;
}

/* Some file systems tell only on closing that the disk is full; a duplicate is closed, for the name is given
 * while the file is open, and standard output may be needed again. */
static bool flush_all(FILE *stream) {
    errno = 0;
    const bool failed = fflush(stream) || ferror(stream);
    if (failed && !errno) errno = EIO; /* the reason went by with an earlier write */
    if (failed) return false;
    const int duplicate = fcntl(fileno(stream), F_DUPFD_CLOEXEC, 0);
    return duplicate < 0 ? errno == EMFILE : !close(duplicate);
}

bool standard_output_finish(Error *error) {
    return flush_all(stdout) || error_set_errno(error, "cannot write standard output");
}

/* Under its own name at once where there is nothing to replace, else under one that rename takes away. */
static bool name_unnamed(OutputFile *file) {
    if (!file->target.exists &&
        !linkat(AT_FDCWD, file->unnamed, AT_FDCWD, file->target.path, AT_SYMLINK_FOLLOW))
        return true;
    return file->temporary || give_name(file);
}

/* So that a power failure does not bring the old file back. Not every file system has this. */
static bool sync_folder(const char *folder) {
    const int descriptor = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (descriptor < 0) return true; /* a folder may be written and not read */
    const bool fine = !fsync(descriptor) || errno == EINVAL || errno == EROFS || errno == EOPNOTSUPP;
    const int number = errno;
    close(descriptor);
    errno = number;
    return fine;
}

static bool rename_synced(OutputFile *file, const char *folder, Error *error) {
    take_mode(file, fileno(file->stream), 0);
    if (*file->unnamed && !name_unnamed(file)) return cannot_write(file, error);
    if (file->temporary && rename(file->temporary, file->target.path))
        return error_set_errno(error, "cannot rename %s to %s", file->temporary, file->target.path);
    drop_name(file);
    return sync_folder(folder) ||
           error_set_errno(error, "%s is whole, but its folder cannot be synced", file->path);
}

static bool put_in_place(OutputFile *file, Error *error) {
    char *folder = folder_of(file->target.path); /* taken first: when the file is there, nothing may fail */
    const bool fine = rename_synced(file, folder, error);
    free(folder);
    return fine;
}

static bool is_beside(const OutputFile *file) {
    return file->path && file->target.kind == TARGET_FILE;
}

bool output_file_flush(OutputFile *file, Error *error) {
    const bool fine = flush_all(file->stream) && (!is_beside(file) || !fsync(fileno(file->stream)));
    return fine || cannot_write(file, error);
}

bool output_file_commit(OutputFile *file, Error *error) {
    bool fine = output_file_flush(file, error);
    if (fine && is_beside(file)) fine = put_in_place(file, error);
    if (file->path) fclose(file->stream);
    remove_temporary(file);
    output_file_free(file);
    return fine;
}

/* Whether all is done that may fail for want of room. */
static bool make_ready(OutputFile *file, Error *error) {
    if (!output_file_flush(file, error)) return false;
    const bool needs_name = is_beside(file) && *file->unnamed && file->target.exists;
    return !needs_name || give_name(file) || cannot_write(file, error);
}

static bool remove_target(OutputFile *file, Error *error) {
    return !is_beside(file) || !unlink(file->target.path) || errno == ENOENT || cannot_write(file, error);
}

bool output_file_commit_pair(OutputFile *first, OutputFile *second, Error *error) {
    const bool ready = make_ready(first, error) && make_ready(second, error) && remove_target(second, error);
    if (ready && output_file_commit(first, error)) return output_file_commit(second, error);
    if (!ready) output_file_abandon(first);
    output_file_abandon(second);
    return false;
}

static bool is_empty(const OutputFile *file) {
    struct stat status;
    return !fstat(fileno(file->stream), &status) && !status.st_size;
}

void output_file_abandon(OutputFile *file) {
    if (!file) return;
    if (file->is_kept && is_empty(file)) file->is_kept = false;
    remove_temporary(file); /* while the lock keeps others from taking it up */
    if (file->path) fclose(file->stream);
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

bool file_check_regular(const char *path, Error *error) {
    struct stat status;
    const bool known = is_standard(path) ? !fstat(STDIN_FILENO, &status) : !stat(path, &status);
    if (!known) return error_set_errno(error, "cannot read %s", file_display_name(path));
    return S_ISREG(status.st_mode) ||
           error_set(error, "%s: not a regular file; it is read more than once, so a pipe will not do",
                     file_display_name(path));
}

const char *file_display_name(const char *path) {
    return is_standard(path) ? "standard input" : path;
}

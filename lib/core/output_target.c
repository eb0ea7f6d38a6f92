#include "core/output_target.h"

#include "core/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/statfs.h>
#include <unistd.h>

enum { MOST_LINKS = 40 };

char *folder_of(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash ? memory_copy_text(path, slash == path ? 1 : (size_t)(slash - path))
                 : memory_copy_text(".", 1);
}

/* Links in /proc lead to what is open, not to a name. */
static bool is_in_proc(const char *folder) {
    struct statfs system;
    return !statfs(folder, &system) && system.f_type == PROC_SUPER_MAGIC;
}

bool is_same_inode(const struct stat *one, const struct stat *other) {
    return one->st_dev == other->st_dev && one->st_ino == other->st_ino;
}

static bool is_same_folder(const char *one, const char *other) {
    struct stat first, second;
    return !stat(one, &first) && !stat(other, &second) && is_same_inode(&first, &second);
}

static void take_proc_link(OutputTarget *target, const char *folder) {
    target->kind = TARGET_DEVICE;
    if (!is_same_folder(folder, "/proc/self/fd")) return;
    target->kind = TARGET_DESCRIPTOR;
    target->descriptor = atoi(strrchr(target->path, '/') + 1);
}

/* Goes where the link at the path leads. */
static bool follow_link(OutputTarget *target, const char *folder) {
    char link[PATH_MAX];
    const ssize_t length = readlink(target->path, link, sizeof link - 1);
    if (length < 0) return false;
    link[length] = 0;
    char *next = *link == '/' ? memory_copy_text(link, (size_t)length) : memory_format("%s/%s", folder, link);
    free(target->path);
    target->path = next;
    return true;
}

/* Follows links until there is none; false with errno. */
static bool follow_links(OutputTarget *target) {
    for (int links = 0; links < MOST_LINKS; links++) {
        struct stat status;
        if (lstat(target->path, &status)) return errno == ENOENT;
        if (!S_ISLNK(status.st_mode)) return true;
        char *folder = folder_of(target->path);
        const bool in_proc = is_in_proc(folder);
        const bool fine = in_proc || follow_link(target, folder);
        if (in_proc) take_proc_link(target, folder);
        free(folder);
        if (in_proc || !fine) return fine;
    }
    errno = ELOOP;
    return false;
}

static bool may_be_written(const OutputTarget *target) {
    errno = EISDIR;
    return !S_ISDIR(target->status.st_mode) &&
           (target->kind == TARGET_DESCRIPTOR || !faccessat(AT_FDCWD, target->path, W_OK, AT_EACCESS));
}

bool output_target_find(OutputTarget *target, const char *path, Error *error) {
    *target = (OutputTarget){.path = memory_copy_text(path, strlen(path))};
    errno = ENOENT;
    bool fine = *path && follow_links(target);
    if (fine) {
        target->exists = !stat(target->path, &target->status);
        fine = target->exists ? may_be_written(target) : errno == ENOENT;
        if (target->exists && target->kind == TARGET_FILE && !S_ISREG(target->status.st_mode))
            target->kind = TARGET_DEVICE;
    }
    if (fine) return true;
    error_set_errno(error, "cannot write %s", *path ? path : "an output without a name");
    output_target_free(target);
    return false;
}

void output_target_free(OutputTarget *target) {
    free(target->path);
    target->path = NULL;
}

static bool has_same_name(const char *one, const char *other) {
    const char *first = strrchr(one, '/'), *second = strrchr(other, '/');
    if (strcmp(first ? first + 1 : one, second ? second + 1 : other)) return false;
    char *folder = folder_of(one), *other_folder = folder_of(other);
    const bool same = is_same_folder(folder, other_folder);
    free(folder);
    free(other_folder);
    return same;
}

bool output_target_is_same(const OutputTarget *one, const OutputTarget *other) {
    if (one->kind != TARGET_FILE || other->kind != TARGET_FILE) return false;
    if (one->exists != other->exists) return false;
    return one->exists ? is_same_inode(&one->status, &other->status) : has_same_name(one->path, other->path);
}

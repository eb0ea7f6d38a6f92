#include "core/hidden_file.h"

#include "core/memory.h"
#include "core/output_target.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

enum { DIGITS = 16 };

/* What comes before the digits. A long name is cut, for the hidden one must fit a folder, too. */
static char *prefix_of(const char *target) {
    const char *slash = strrchr(target, '/');
    return memory_format(".%.200s.", slash ? slash + 1 : target);
}

char *hidden_file_name(const char *target) {
    char *folder = folder_of(target), *prefix = prefix_of(target);
    uint64_t number = 0;
    if (getrandom(&number, sizeof number, 0) < 0) number = (uint64_t)getpid();
    char *name = memory_format("%s/%s%0*" PRIx64, folder, prefix, DIGITS, number);
    free(folder);
    free(prefix);
    return name;
}

/* Without locks (errno is another then) the file is as good, and nobody takes it for one that was left. */
bool hidden_file_lock(int descriptor) {
    struct stat status;
    if (flock(descriptor, LOCK_EX | LOCK_NB) && errno == EWOULDBLOCK) return false;
    return !fstat(descriptor, &status) && status.st_nlink > 0;
}

static bool is_hidden_name(const char *name, const char *prefix) {
    const size_t size = strlen(prefix);
    return !strncmp(name, prefix, size) && strlen(name) == size + DIGITS &&
           strspn(name + size, "0123456789abcdef") == DIGITS;
}

/* Opened for writing, for over a network only such a file can be locked. */
static void remove_if_left(int folder, const char *name) {
    struct stat status;
    if (fstatat(folder, name, &status, AT_SYMLINK_NOFOLLOW) || !S_ISREG(status.st_mode)) return;
    const int descriptor = openat(folder, name, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (descriptor < 0) return;
    if (!flock(descriptor, LOCK_EX | LOCK_NB)) unlinkat(folder, name, 0);
    close(descriptor);
}

void hidden_files_remove_left(const char *target) {
    char *path = folder_of(target), *prefix = prefix_of(target);
    DIR *folder = opendir(path);
    const struct dirent *entry;
    while (folder && (entry = readdir(folder)))
        if (is_hidden_name(entry->d_name, prefix)) remove_if_left(dirfd(folder), entry->d_name);
    if (folder) closedir(folder);
    free(path);
    free(prefix);
}

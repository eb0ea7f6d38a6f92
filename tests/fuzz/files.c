#include "fuzz.h"

#include "core/log.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char folder[64];

static void remove_folder(void) {
    DIR *entries = opendir(folder);
    if (!entries) return;
    for (const struct dirent *entry; (entry = readdir(entries));)
        unlinkat(dirfd(entries), entry->d_name, 0);
    closedir(entries);
    rmdir(folder);
}

const char *fuzz_folder(void) {
    if (*folder) return folder;
    strcpy(folder, access("/dev/shm", W_OK) ? "/tmp/fuzz.XXXXXX" : "/dev/shm/fuzz.XXXXXX");
    if (!mkdtemp(folder)) abort();
    atexit(remove_folder);
    log_open("fuzz", LOG_QUIET);
    return folder;
}

const char *fuzz_file(const char *name, const uint8_t *bytes, size_t size) {
    static char paths[4][128];
    static size_t count;
    char path[128];
    snprintf(path, sizeof path, "%s/%s", fuzz_folder(), name);
    const int descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (descriptor < 0 || write(descriptor, bytes, size) != (ssize_t)size || close(descriptor)) abort();
    for (size_t i = 0; i < count; i++)
        if (!strcmp(paths[i], path)) return paths[i];
    if (count == sizeof paths / sizeof *paths) abort();
    return strcpy(paths[count++], path);
}

size_t fuzz_second_part(const uint8_t *bytes, size_t size) {
    const uint8_t *end = size ? memchr(bytes, 0, size) : NULL;
    return end ? (size_t)(end - bytes) + 1 : size;
}

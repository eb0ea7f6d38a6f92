#include "arrays/file_map.h"

#include "core/file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static bool map_descriptor(FileMap *map, int descriptor, const char *path, Error *error) {
    struct stat status;
    if (fstat(descriptor, &status)) return error_set_errno(error, "cannot read %s", path);
    map->size = (size_t)status.st_size;
    if (map->size == 0) return true;
    void *bytes = mmap(NULL, map->size, PROT_READ, MAP_PRIVATE, descriptor, 0);
    if (bytes == MAP_FAILED) return error_set_errno(error, "cannot map %s", path);
    map->bytes = bytes;
    return true;
}

bool file_map_open(FileMap *map, const char *path, Error *error) {
    *map = (FileMap){0};
    if (!file_check_regular(path, error)) return false;
    const int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) return error_set_errno(error, "cannot read %s", path);
    const bool fine = map_descriptor(map, descriptor, path, error);
    close(descriptor);
    return fine;
}

void file_map_close(FileMap *map) {
    if (map->bytes) munmap((void *)map->bytes, map->size);
    *map = (FileMap){0};
}

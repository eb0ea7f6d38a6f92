/* Where an output goes: what its name leads to, which is a file to be replaced, or something to be written in
 * place. */
#ifndef CORE_OUTPUT_TARGET_H
#define CORE_OUTPUT_TARGET_H

#include "core/error.h"

#include <sys/stat.h>

typedef struct OutputTarget {
    char *path; /* links followed, also one that leads to nothing yet; to be freed */
    enum {
        TARGET_FILE,       /* a regular file, or none yet: to be replaced */
        TARGET_DEVICE,     /* a device, a pipe, a socket: to be opened */
        TARGET_DESCRIPTOR, /* one of this program's (/dev/stdout, /dev/fd/3): to be duplicated */
    } kind;
    int descriptor; /* of TARGET_DESCRIPTOR */
    bool exists;    /* there is something, and this is what it is: */
    struct stat status;
} OutputTarget;

/* Opens nothing. Fails for a name that leads nowhere, a folder, and a file that may not be written. */
bool output_target_find(OutputTarget *target, const char *path, Error *error);
void output_target_free(OutputTarget *target);

/* Whether both are one file, also one that is not there yet. Devices and pipes may serve twice. */
bool output_target_is_same(const OutputTarget *one, const OutputTarget *other);

bool is_same_inode(const struct stat *one, const struct stat *other);

/* The folder of a path, "." for a bare name. To be freed. */
char *folder_of(const char *path);

#endif

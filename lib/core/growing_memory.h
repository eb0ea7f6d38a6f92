/* Bytes that are appended and then only read: in memory up to a limit, beyond it in a scratch file without a
 * name, in the folder that TMPDIR names (or /tmp), which the system may page out and in. Or in a file of the
 * caller's, from the start. */
#ifndef CORE_GROWING_MEMORY_H
#define CORE_GROWING_MEMORY_H

#include "core/error.h"

#include <stddef.h>
#include <stdio.h>

typedef struct GrowingMemory {
    size_t size, limit;
    unsigned char *bytes; /* while appending: those in memory; after growing_memory_finish: all */
    size_t capacity;      /* of the mapping */
    bool in_file;         /* not in memory */
    FILE *file;           /* the scratch file, or the caller's */
    const char *name;     /* of the caller's */
    size_t start;         /* where the bytes begin in it */
} GrowingMemory;

/* Where the bytes may begin in a file of the caller's: a multiple of the size of a page, on any machine. */
enum { GROWING_MEMORY_ALIGNMENT = 1 << 16 };

/* An empty one that takes at most `limit` bytes of memory. To be given to growing_memory_free. */
GrowingMemory growing_memory_start(size_t limit);

/* One whose bytes all go into `file`, from `start` on, where it stands; the file and its name (for messages)
 * remain the caller's, and may go after growing_memory_finish. */
GrowingMemory growing_memory_start_in(FILE *file, const char *name, size_t start);

/* On failure (no room in the scratch folder, …) what was appended before is lost. */
bool growing_memory_append(GrowingMemory *memory, const void *bytes, size_t size, Error *error);

/* While appending: a copy of what was appended at the offset `at`. */
bool growing_memory_read(const GrowingMemory *memory, size_t at, void *bytes, size_t size, Error *error);

/* Ends the appending: `bytes` are all bytes from now on (aligned to a page; NULL when there are none), and
 * cannot be written. */
bool growing_memory_finish(GrowingMemory *memory, Error *error);

/* As one that is finished: what a file holds from `start` on. False, with errno, when it cannot be mapped. */
bool growing_memory_map(GrowingMemory *memory, int file, size_t start, size_t size);

/* Leaves nothing behind; {0} and what is free already are allowed. */
void growing_memory_free(GrowingMemory *memory);

#endif

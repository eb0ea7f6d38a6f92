#include "core/growing_memory.h"

#include "core/log.h"
#include "core/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* The mapping grows by half and at least by this; pages that are not touched cost nothing. */
#define SMALLEST_STEP ((size_t)16 << 20)

/* So much is written at once, and then given back, when memory moves into the file. */
#define MOVE_STEP ((size_t)16 << 20)

GrowingMemory growing_memory_start(size_t limit) {
    return (GrowingMemory){.limit = limit};
}

GrowingMemory growing_memory_start_in(FILE *file, const char *name, size_t start) {
    return (GrowingMemory){.in_file = true, .file = file, .name = name, .start = start};
}

static const char *scratch_folder(void) {
    const char *folder = getenv("TMPDIR");
    return folder && *folder ? folder : "/tmp";
}

static bool file_error(const GrowingMemory *memory, Error *error, const char *what) {
    return memory->name
               ? error_set_errno(error, "cannot %s %s", what, memory->name)
               : error_set_errno(
                     error,
                     "cannot %s a scratch file in %s (set TMPDIR to a folder on a disk with more room)", what,
                     scratch_folder());
}

/* Where a file system has none without a name. */
static int open_named_scratch(void) {
    char *path = memory_format("%s/pm-scratch.XXXXXX", scratch_folder());
    const int descriptor = mkostemp(path, O_CLOEXEC), number = errno;
    if (descriptor >= 0) unlink(path);
    free(path);
    errno = number;
    return descriptor;
}

static bool open_scratch(GrowingMemory *memory, Error *error) {
    int descriptor = open(scratch_folder(), O_TMPFILE | O_EXCL | O_RDWR | O_CLOEXEC, 0600);
    if (descriptor < 0) descriptor = open_named_scratch();
    memory->file = descriptor >= 0 ? fdopen(descriptor, "w+b") : NULL;
    memory->in_file = memory->file;
    if (memory->in_file) return true;
    file_error(memory, error, "create");
    if (descriptor >= 0) close(descriptor);
    return false;
}

/* Not through a mapping, where a full disk would be a signal and no error. */
static bool write_file(const GrowingMemory *memory, const unsigned char *bytes, size_t size, Error *error) {
    return fwrite(bytes, 1, size, memory->file) == size || file_error(memory, error, "write");
}

/* Gives the memory back step by step, so that a scratch folder that is itself in memory does not need twice
 * the room. */
static bool move_to_scratch(GrowingMemory *memory, Error *error) {
    if (!open_scratch(memory, error)) return false;
    log_detail("more than %zu bytes are kept; they go into a scratch file in %s", memory->size,
               scratch_folder());
    for (size_t at = 0; at < memory->size; at += MOVE_STEP) {
        const size_t size = memory->size - at < MOVE_STEP ? memory->size - at : MOVE_STEP;
        if (!write_file(memory, memory->bytes + at, size, error)) return false;
        madvise(memory->bytes + at, size, MADV_DONTNEED);
    }
    if (memory->bytes) munmap(memory->bytes, memory->capacity);
    memory->bytes = NULL;
    memory->capacity = 0;
    return true;
}

/* False when the limit or the system does not allow it. */
static bool grow_mapping(GrowingMemory *memory, size_t needed) {
    if (needed > memory->limit) return false;
    if (needed <= memory->capacity) return true;
    size_t capacity = memory->capacity + memory->capacity / 2;
    if (capacity < memory->capacity + SMALLEST_STEP) capacity = memory->capacity + SMALLEST_STEP;
    if (capacity > memory->limit) capacity = memory->limit;
    if (capacity < needed) capacity = needed;
    /* Not mmap, which in the tools ends the program when it fails: here a file takes the place of memory. */
    void *bytes = memory->bytes
                      ? mremap(memory->bytes, memory->capacity, capacity, MREMAP_MAYMOVE)
                      : mmap64(NULL, capacity, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (bytes == MAP_FAILED) return false;
    memory->bytes = bytes;
    memory->capacity = capacity;
    return true;
}

bool growing_memory_append(GrowingMemory *memory, const void *bytes, size_t size, Error *error) {
    if (!size) return true;
    if (size > SIZE_MAX / 2 - memory->size)
        return error_set(error, "%zu and %zu bytes are more than can be kept", memory->size, size);
    if (!memory->in_file && grow_mapping(memory, memory->size + size))
        memcpy(memory->bytes + memory->size, bytes, size);
    else if ((!memory->in_file && !move_to_scratch(memory, error)) || !write_file(memory, bytes, size, error))
        return false;
    memory->size += size;
    return true;
}

bool growing_memory_read(const GrowingMemory *memory, size_t at, void *bytes, size_t size, Error *error) {
    unsigned char *to = bytes;
    if (!memory->in_file) {
        if (size) memcpy(to, memory->bytes + at, size);
        return true;
    }
    if (fflush(memory->file)) return file_error(memory, error, "write");
    for (at += memory->start; size;) {
        const ssize_t got = pread(fileno(memory->file), to, size, (off_t)at);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) return file_error(memory, error, "read");
        to += got;
        at += (size_t)got;
        size -= (size_t)got;
    }
    return true;
}

bool growing_memory_map(GrowingMemory *memory, int file, size_t start, size_t size) {
    void *bytes = size ? mmap(NULL, size, PROT_READ, MAP_SHARED, file, (off_t)start) : NULL;
    if (bytes == MAP_FAILED) return false;
    memory->in_file = true;
    memory->bytes = bytes;
    memory->size = memory->capacity = size;
    return true;
}

bool growing_memory_finish(GrowingMemory *memory, Error *error) {
    if (memory->in_file) {
        if (fflush(memory->file)) return file_error(memory, error, "write");
        return growing_memory_map(memory, fileno(memory->file), memory->start, memory->size) ||
               file_error(memory, error, "map");
    }
    if (!memory->size) return true;
    memory->bytes = mremap(memory->bytes, memory->capacity, memory->size, 0); /* shrinks: cannot fail */
    mprotect(memory->bytes, memory->size, PROT_READ);
    memory->capacity = memory->size;
    return true;
}

void growing_memory_free(GrowingMemory *memory) {
    if (memory->bytes) munmap(memory->bytes, memory->capacity);
    if (memory->file && !memory->name) fclose(memory->file);
    *memory = growing_memory_start(memory->limit);
}

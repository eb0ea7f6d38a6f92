/* What C++ libraries (oneDNN, SentencePiece) do without memory: the same as everybody. */
#include <malloc.h>
#include <new>
#include <sys/mman.h>

extern "C" {
#include "core/memory.h"
}

static void end_of_memory() {
    memory_end(0, 0);
}

void memory_watch_new() {
    std::set_new_handler(end_of_memory);
}

/* In the C library's place: where oneDNN gets nothing, for its threads or for the code that it makes, it goes
 * on all the same and writes to it. */
extern "C" int posix_memalign(void **block, size_t alignment, size_t size) noexcept {
    *block = memalign(alignment, size);
    if (!*block) memory_end(1, size);
    return 0;
}

extern "C" void *mmap(void *where, size_t size, int protection, int flags, int file, off_t offset) noexcept {
    void *block = mmap64(where, size, protection, flags, file, offset);
    if (block == MAP_FAILED && !where && (flags & MAP_ANONYMOUS) && (protection & PROT_WRITE))
        memory_end(1, size);
    return block;
}

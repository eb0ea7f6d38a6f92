#include "card_memory.h"

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <malloc.h>

static size_t used; /* the program asks from one thread */

static size_t all_memory() {
    const char *most = std::getenv("PM_CUDA_MEMORY");
    return most ? std::strtoull(most, nullptr, 10) << 20 : SIZE_MAX;
}

void *card_memory_take(size_t bytes) {
    const size_t whole = (bytes + 255) / 256 * 256;
    void *memory = used + whole <= all_memory() ? aligned_alloc(256, whole) : nullptr;
    if (!memory) return nullptr;
    used += malloc_usable_size(memory);
    return memset(memory, 0xff, bytes);
}

void card_memory_release(void *memory) {
    const size_t bytes = malloc_usable_size(memory);
    used -= bytes;
    memset(memory, 0xff, bytes);
    free(memory);
}

void card_memory_count(size_t *left, size_t *total) {
    *total = all_memory();
    *left = *total - used;
}

#include "nn/backend/cpu/kernels.h"

#include "core/memory.h"

#include <string.h>

static void release(void *memory, size_t bytes) {
    (void)bytes;
    free(memory);
}

static void fill(size_t count, float value, float *to) {
#pragma omp parallel for simd schedule(static) if (count > PARALLEL_ELEMENTS)
    for (size_t i = 0; i < count; i++)
        to[i] = value;
}

static void copy(size_t bytes, const void *from, void *to) {
    if (bytes) memcpy(to, from, bytes);
}

/* All is done when a call returns. */
static void none(void) {
}

const MemoryKernels cpu_memory = {memory_take_aligned, release, fill, copy, copy, copy, none, copy, none};

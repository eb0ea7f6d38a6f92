/* The memory of the card: as much as the host has, or so many MiB as the environment variable PM_CUDA_MEMORY
 * says. What is new, or released, holds NaNs. */
#ifndef CUDA_ON_HOST_CARD_MEMORY_H
#define CUDA_ON_HOST_CARD_MEMORY_H

#include <cstddef>

/* Aligned to 256 bytes; NULL where there is no more. */
void *card_memory_take(size_t bytes);
void card_memory_release(void *memory);

void card_memory_count(size_t *left, size_t *total);

#endif

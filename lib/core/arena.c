#include "core/arena.h"

#include "core/log.h"
#include "core/memory.h"

#include <stdint.h>
#include <string.h>

enum { ALIGNMENT = 64, FIRST_BLOCK = 1 << 20 };

typedef struct Block {
    struct Block *next;
    size_t size, used;
    unsigned char *bytes;
} Block;

struct Arena {
    Block *blocks; /* the newest first; pieces come from it */
    size_t used, peak;
};

static Block *block_create(size_t size, Block *next) {
    Block *block = memory_need(1, sizeof *block);
    block->bytes = aligned_alloc(ALIGNMENT, size);
    if (!block->bytes) {
        log_error("out of memory: a block of %zu bytes was needed for this step; use a smaller --batch-size",
                  size);
        exit(1);
    }
    block->size = size;
    block->next = next;
    return block;
}

static void blocks_destroy(Block *block) {
    while (block) {
        Block *next = block->next;
        free(block->bytes);
        free(block);
        block = next;
    }
}

Arena *arena_create(void) {
    return memory_need(1, sizeof(Arena));
}

void arena_destroy(Arena *arena) {
    if (!arena) return;
    blocks_destroy(arena->blocks);
    free(arena);
}

void *arena_take(Arena *arena, size_t count, size_t size) {
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes) || bytes > SIZE_MAX / 4) {
        log_error("out of memory: %zu elements of %zu bytes were needed", count, size);
        exit(1);
    }
    bytes = (bytes + ALIGNMENT) / ALIGNMENT * ALIGNMENT;
    Block *block = arena->blocks;
    if (!block || block->size - block->used < bytes) {
        size_t wanted = block ? 2 * block->size : FIRST_BLOCK;
        if (wanted > (size_t)1 << 30) wanted = (size_t)1 << 30;
        block = arena->blocks = block_create(wanted < bytes ? bytes : wanted, block);
    }
    void *piece = block->bytes + block->used;
    block->used += bytes;
    arena->used += bytes;
    if (arena->used > arena->peak) arena->peak = arena->used;
    return piece;
}

void *arena_take_zeroed(Arena *arena, size_t count, size_t size) {
    return memset(arena_take(arena, count, size), 0, count * size);
}

void arena_reset(Arena *arena) {
    if (arena->blocks && arena->blocks->next) {
        blocks_destroy(arena->blocks);
        arena->blocks = block_create(arena->peak, NULL);
    }
    if (arena->blocks) arena->blocks->used = 0;
    arena->used = 0;
}

ArenaMark arena_mark(const Arena *arena) {
    return (ArenaMark){arena->blocks, arena->blocks ? arena->blocks->used : 0, arena->used};
}

void arena_rewind(Arena *arena, ArenaMark mark) {
    while (arena->blocks != mark.block) {
        Block *next = arena->blocks->next;
        free(arena->blocks->bytes);
        free(arena->blocks);
        arena->blocks = next;
    }
    if (arena->blocks) arena->blocks->used = mark.block_used;
    arena->used = mark.used;
}

size_t arena_used(const Arena *arena) {
    return arena->used;
}

size_t arena_peak(const Arena *arena) {
    return arena->peak;
}

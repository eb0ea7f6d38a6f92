#include "core/arena.h"

#include "core/memory.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum { ALIGNMENT = 64, FIRST_BLOCK = 1 << 20, LARGE_PAGE = 1 << 21 };

typedef struct Block {
    struct Block *next;
    size_t size, used;
    unsigned char *bytes;
} Block;

struct Arena {
    ArenaSource source;
    Block *blocks; /* the newest first; pieces come from it */
    Block *spare;  /* the largest that a rewind set free, or NULL: taken again before memory is asked for */
    size_t used, peak;
};

static void blocks_destroy(const Arena *arena, Block *block) {
    while (block) {
        Block *next = block->next;
        arena->source.release(block->bytes, block->size);
        free(block);
        block = next;
    }
}

static void set_free(Arena *arena, Block *block) {
    block->next = NULL;
    if (arena->spare && arena->spare->size >= block->size) {
        blocks_destroy(arena, block);
        return;
    }
    blocks_destroy(arena, arena->spare);
    arena->spare = block;
}

static void release_to_host(void *bytes, size_t size) {
    (void)size;
    free(bytes);
}

static Block *block_create(Arena *arena, size_t size, Block *next) {
    Block *block = arena->spare;
    if (block && block->size >= size) {
        arena->spare = NULL;
        block->next = next;
        block->used = 0;
        return block;
    }
    if (size >= LARGE_PAGE) size = (size + LARGE_PAGE - 1) / LARGE_PAGE * LARGE_PAGE;
    block = memory_need(1, sizeof *block);
    block->bytes = arena->source.take(size);
    block->size = size;
    block->next = next;
    return block;
}

Arena *arena_create(void) {
    return arena_create_from((ArenaSource){memory_take_aligned, release_to_host});
}

Arena *arena_create_from(ArenaSource source) {
    Arena *arena = memory_need(1, sizeof *arena);
    arena->source = source;
    return arena;
}

void arena_destroy(Arena *arena) {
    if (!arena) return;
    blocks_destroy(arena, arena->blocks);
    blocks_destroy(arena, arena->spare);
    free(arena);
}

void *arena_take(Arena *arena, size_t count, size_t size) {
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes) || bytes > SIZE_MAX / 4) memory_end(count, size);
    bytes = (bytes + ALIGNMENT) / ALIGNMENT * ALIGNMENT;
    Block *block = arena->blocks;
    if (!block || block->size - block->used < bytes) {
        size_t wanted = block ? 2 * block->size : FIRST_BLOCK;
        if (wanted > (size_t)1 << 30) wanted = (size_t)1 << 30;
        block = arena->blocks = block_create(arena, wanted < bytes ? bytes : wanted, block);
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
        blocks_destroy(arena, arena->blocks);
        blocks_destroy(arena, arena->spare);
        arena->spare = NULL;
        arena->blocks = block_create(arena, arena->peak, NULL);
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
        set_free(arena, arena->blocks);
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

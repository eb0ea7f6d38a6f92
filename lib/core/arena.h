/* The memory of one step: taken piece by piece, given back at once, and kept for the next step. */
#ifndef CORE_ARENA_H
#define CORE_ARENA_H

#include <stddef.h>

typedef struct Arena Arena;

Arena *arena_create(void);

/* Where an arena's blocks come from, a few large ones. `take` ends the program where there is no memory. */
typedef struct ArenaSource {
    void *(*take)(size_t size); /* aligned to 64 */
    void (*release)(void *memory, size_t size);
} ArenaSource;

/* An arena over other memory than the host's, which it does not touch: arena_take_zeroed is not for it. */
Arena *arena_create_from(ArenaSource source);

void arena_destroy(Arena *arena);

/* `count` × `size` bytes aligned to 64, not zeroed. They live until the arena is reset or destroyed. */
void *arena_take(Arena *arena, size_t count, size_t size);
void *arena_take_zeroed(Arena *arena, size_t count, size_t size);

/* Forgets all pieces. The blocks become one, so that a step like the last one allocates nothing. */
void arena_reset(Arena *arena);

/* A place to come back to: arena_rewind forgets what was taken since. */
typedef struct ArenaMark {
    void *block;
    size_t block_used, used;
} ArenaMark;
ArenaMark arena_mark(const Arena *arena);
void arena_rewind(Arena *arena, ArenaMark mark);

/* Bytes in use, and the most that were ever in use. */
size_t arena_used(const Arena *arena);
size_t arena_peak(const Arena *arena);

#endif

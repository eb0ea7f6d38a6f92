/* How a feature cache stands in its file: head, rows, tables (formats/cache.md). */
#ifndef DATA_FEATURE_CACHE_LAYOUT_H
#define DATA_FEATURE_CACHE_LAYOUT_H

#include "core/growing_memory.h"
#include "stream/content_hash.h"
#include "stream/index.h"

#include <stddef.h>

#define CACHE_WORD "pmtcache"

enum { CACHE_VERSION = 1, CACHE_ROWS_AT = GROWING_MEMORY_ALIGNMENT };

typedef struct CacheHead {
    char word[8];
    uint64_t version;
    char content[40]; /* the hash of the stream's content, and NUL */
    char dtype[8];
    uint64_t width, items;
    uint64_t rows_size;              /* bytes, from CACHE_ROWS_AT on */
    uint64_t tables_at, tables_size; /* the file ends behind them */
    uint64_t tables_check;           /* index_hash of the tables */
    uint64_t check;                  /* index_hash of all before */
} CacheHead;

/* The tables: u64 first_rows[items + 1], u64 hashes[items] (index_hash of an item's rows), and of each item
 * the u32 size of its name and the name. */

_Static_assert(sizeof(CacheHead) == 120 && CONTENT_HASH_TEXT <= 40, "a head has no padding");

static inline uint64_t cache_head_check(const CacheHead *head) {
    return index_hash(head, offsetof(CacheHead, check));
}

/* Where tables may begin behind the rows. */
static inline uint64_t cache_tables_at(uint64_t rows_size) {
    return (CACHE_ROWS_AT + rows_size + GROWING_MEMORY_ALIGNMENT - 1) / GROWING_MEMORY_ALIGNMENT *
           GROWING_MEMORY_ALIGNMENT;
}

#endif

/* How an index stands in the file: head, frames, end map, keys, tail (formats/stream.md). */
#ifndef STREAM_INDEX_LAYOUT_H
#define STREAM_INDEX_LAYOUT_H

#include <stdint.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "numbers in an index are little-endian");

#define INDEX_MAGIC UINT32_C(0x184d2a5d)
#define FRAME_MAGIC UINT32_C(0xfd2fb528) /* of zstd */
#define INDEX_WORD "pmtindex"

typedef struct StoredHead {
    uint32_t magic, size; /* of the skippable frame: of what follows these two */
    uint64_t length;      /* of the segment's frames in the file */
    uint64_t plain, records, frames, keys, end_size;
} StoredHead;

typedef struct StoredFrame {
    uint64_t offset, plain, first, hash; /* from the segment's start: in the file, decompressed, records */
} StoredFrame;

typedef struct __attribute__((packed)) StoredKey {
    uint64_t hash;
    uint32_t number;
} StoredKey;

typedef struct StoredTail {
    uint64_t check; /* index_hash of head, frames and end map */
    uint64_t size;  /* of the whole index */
    char word[8];
} StoredTail;

_Static_assert(sizeof(StoredHead) == 56 && sizeof(StoredFrame) == 32 && sizeof(StoredKey) == 12 &&
                   sizeof(StoredTail) == 24,
               "an index has no padding");

/* By hash, then by number. */
static inline int stored_key_compare(const StoredKey *one, const StoredKey *two) {
    if (one->hash != two->hash) return one->hash < two->hash ? -1 : 1;
    return one->number < two->number ? -1 : one->number > two->number;
}

#endif

/* The index behind a segment of a stream (formats/stream.md): where its frames stand, which records they
 * hold, and the hashes of all keys. It only helps to find; what it claims is checked where it is used. */
#ifndef STREAM_INDEX_H
#define STREAM_INDEX_H

#include "core/error.h"

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

/* XXH3 with 64 bits: of a frame's decompressed bytes, of a key. */
uint64_t index_hash(const void *bytes, size_t size);

typedef struct IndexFrame {
    uint64_t at, size;     /* in the file */
    uint64_t start, plain; /* its decompressed bytes: where they begin in the stream, and how many they are */
    uint64_t first;        /* records before it, and how many it has */
    uint64_t records;
    uint64_t hash;
    size_t segment;
} IndexFrame;

typedef struct IndexSegment {
    uint64_t first, records; /* records before it, and how many it has */
    size_t first_frame;
    unsigned char *end; /* its end map */
    size_t end_size;
    uint64_t keys_at; /* in the file */
    uint64_t keys;    /* as many as records, or 0 when they are left out */
} IndexSegment;

/* Of a whole stream: of all its segments. */
typedef struct StreamIndex {
    int file; /* the caller's */
    IndexFrame *frames;
    size_t frame_count;
    IndexSegment *segments;
    size_t segment_count;
    uint64_t records;
} StreamIndex;

/* Reads the indices of all segments from the end of a regular file. False when one is damaged; *index is NULL
 * when there is none, or not one for every segment. */
bool stream_index_load(int file, StreamIndex **index, Error *error);
void stream_index_free(StreamIndex *index);

/* The frame that holds the record with this number, from 1. */
size_t stream_index_frame(const StreamIndex *index, uint64_t number);

/* {"hash": …, "inputs": …} of the whole stream, as its end maps claim. A new reference; NULL when they are
 * damaged. */
json_t *stream_index_content(const StreamIndex *index, Error *error);

/* Numbers of the records that may have this key, in ascending order: at most `room`, of which others are left
 * out. The hash tells; so the record's key must be looked at. False when the index cannot be read or holds no
 * keys. */
bool stream_index_has_keys(const StreamIndex *index);
bool stream_index_find(const StreamIndex *index, const void *key, size_t size, uint64_t *numbers, size_t room,
                       size_t *count, Error *error);

/* What the index of a segment says of its keys, checked while the segment is read. */

typedef struct IndexKeySum {
    uint64_t sum, mixed;
} IndexKeySum;

/* Adds the key of a segment's record number `number`, from 0; the order does not matter. */
void index_key_sum_add(IndexKeySum *sum, uint64_t hash, uint32_t number);

/* Whether the segment's keys are sorted, and those that were added. */
bool stream_index_check_keys(const StreamIndex *index, size_t segment, const IndexKeySum *sum, Error *error);

#endif

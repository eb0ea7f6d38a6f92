/* Gathers the index of a segment while it is written, and writes it behind the segment (index.h). */
#ifndef STREAM_INDEX_BUILDER_H
#define STREAM_INDEX_BUILDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

typedef struct IndexBuilder IndexBuilder;

IndexBuilder *index_builder_create(void);
void index_builder_destroy(IndexBuilder *builder);

/* A frame of `size` bytes, which decompress to `plain` bytes with this hash (index_hash) and hold the records
 * whose keys were added since the frame before. */
void index_builder_add_frame(IndexBuilder *builder, uint64_t size, uint64_t plain, uint64_t hash,
                             uint64_t records);
void index_builder_add_key(IndexBuilder *builder, const void *key, size_t size);

/* Writes the index of the segment whose end map is `end`, and starts anew. */
bool index_builder_write(IndexBuilder *builder, FILE *file, const void *end, size_t end_size);

#endif

/* The hash by which a content is known in provenance: XXH3, 128 bits, as "xxh3:" and 32 hexadecimal digits.
 */
#ifndef STREAM_CONTENT_HASH_H
#define STREAM_CONTENT_HASH_H

#include <jansson.h>
#include <stddef.h>

typedef struct ContentHash ContentHash;

enum { CONTENT_HASH_TEXT = 5 + 32 + 1 };

ContentHash *content_hash_create(void);
void content_hash_destroy(ContentHash *hash);
void content_hash_reset(ContentHash *hash);
void content_hash_update(ContentHash *hash, const void *bytes, size_t size);
void content_hash_text(const ContentHash *hash, char text[CONTENT_HASH_TEXT]);

/* {"hash": "xxh3:…"}: what stands for a file in the end record of a stream made from it. A new reference. */
json_t *content_of_hash(const ContentHash *hash);

/* What an end map says of its segment: {"hash", "inputs"}; NULL when there is no hash in it. A new reference.
 */
json_t *content_of_end(const json_t *end);

/* The content of two streams that follow each other: the hash of the texts of both hashes, and of every input
 * the same, or what both have when it is equal. A new reference. */
json_t *content_append(const json_t *content, const json_t *next);

/* The same of what may be NULL so far; steals both. */
json_t *content_extend(json_t *content, json_t *next);

#endif

/* What training reads of the items, gathered for a batch: all records of one stream (formats/stream.md:
 * tokens, hidden, pixels, items), kept in their own dtype, or image stores, read where they lie. */
#ifndef DATA_FEATURE_STORE_H
#define DATA_FEATURE_STORE_H

#include "core/dtype.h"
#include "core/growing_memory.h"
#include "data/image_recipe.h"
#include "data/image_stores.h"
#include "data/item_numbers.h"

#include <jansson.h>
#include <stdint.h>

typedef enum FeatureKind { FEATURE_TOKENS, FEATURE_HIDDEN, FEATURE_PIXELS, FEATURE_VECTORS } FeatureKind;

/* Blocks of an encoder that were applied, where that is no number. */
#define FEATURE_BLOCKS_NONE (-1)      /* tokens and pixels: not even the embeddings */
#define FEATURE_BLOCKS_LAST INT64_MAX /* all of them, however many; also of vectors */

typedef struct FeatureCache FeatureCache; /* data/feature_cache.h */

/* An item is a number of rows: one for each token (tokens, hidden), or one. */
typedef struct FeatureStore {
    FeatureKind kind;
    DType dtype;
    size_t width;         /* elements of a row: 1 for tokens, 3 · S · S for pixels */
    size_t row_bytes;     /* as it is kept: with its scale where it is i8 */
    size_t pixel_size;    /* S; pixels are f32 [3, S, S], normalised, or u8 [S, S, 3] */
    ImageRecipe recipe;   /* of u8 pixels: the standard one, until another is set */
    uint32_t largest_id;  /* of tokens */
    int64_t blocks;       /* 0 is the output of the embeddings; or one of the constants above */
    const char *modality; /* "text" or "image"; NULL for vectors */
    char *name;           /* of the file, for messages */
    json_t *header;       /* of the stream or the image store */
    json_t *content;      /* as stream_reader_content */
    ItemNumbers items;    /* in the order of the file */
    size_t *first_rows;   /* [items + 1]: item i is the rows first_rows[i] … first_rows[i + 1] − 1 */
    GrowingMemory rows;
    FeatureCache *cache;    /* NULL: the rows are this store's alone */
    ImageStores *images;    /* NULL: the rows are in `rows` */
    const uint8_t **mapped; /* [items]: their pixels in the image stores */
    size_t first_capacity, mapped_capacity;
} FeatureStore;

/* Reads the whole file, a stream, or an image store or several ("A.lmdb,B.lmdb"); "-" or NULL is standard
 * input. Of a stream, up to `memory_limit` bytes stay in memory, more go into a scratch file. An item that
 * comes twice, tensors that differ in dtype or width, values that are not finite, ids out of the vocabulary
 * and a file without an item are errors; an item without a token is not. To be given to feature_store_free;
 * on failure there is nothing to free. */
bool feature_store_read(FeatureStore *store, const char *path, size_t memory_limit, Error *error);

/* The same for stores that share a table of names, which stays the caller's and outlives them; they are read
 * one after the other. With `cache` (or NULL) the rows of a stream that is a file with an index, and not of
 * tokens, which are few bytes, are in a file in that folder, whatever their size: they are read from there
 * when they were written by an earlier call and the stream is still the same, else written for later ones.
 * Where the folder cannot be written it is as above, with a report. */
bool feature_store_read_shared(FeatureStore *store, const char *path, size_t memory_limit, NameTable *names,
                               const char *cache, Error *error);

/* {0} is allowed. */
void feature_store_free(FeatureStore *store);

size_t feature_store_items(const FeatureStore *store);

/* Of one item. */
size_t feature_store_rows(const FeatureStore *store, size_t item);

/* This item will be gathered soon: what is on the disk may come into memory meanwhile. */
void feature_store_want(const FeatureStore *store, uint32_t item);

/* Item number `item` is from 0, in the order of the file. The functions below take `count` of them, any of
 * them more than once, and write them one behind the other; the threads share the work. */

/* Where the rows of each begin: offsets[count + 1], from 0. */
void feature_store_offsets(const FeatureStore *store, const uint32_t *items, size_t count, size_t *offsets);

/* Hidden states and vectors as f32: [rows, width]. */
void feature_store_gather_rows(const FeatureStore *store, const uint32_t *items, size_t count, float *values);

/* Tokens: [rows]. */
void feature_store_gather_ids(const FeatureStore *store, const uint32_t *items, size_t count, uint32_t *ids);

/* Pixels, normalised: [count, 3, S, S]. */
void feature_store_gather_pixels(const FeatureStore *store, const uint32_t *items, size_t count,
                                 float *pixels);

#endif

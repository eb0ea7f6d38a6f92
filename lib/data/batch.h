/* Batches of users: their rows one behind the other, and the distinct items in them, so that each is encoded
 * once however often it occurs. */
#ifndef DATA_BATCH_H
#define DATA_BATCH_H

#include "core/random.h"
#include "data/split.h"

/* An order of the users, cut into batches. */
typedef struct Batches {
    const Behaviours *behaviours;
    Split split;
    uint32_t batch_size;
    uint32_t *order; /* [user_count] */
} Batches;

/* Training batches hold the rows (inputs and their targets), validation and test batches the inputs alone.
 * A batch_size of 0 makes one batch of all users. The users stand in the order of users.tsv until they are
 * shuffled. */
bool batches_create(Batches *batches, const Behaviours *behaviours, Split split, uint32_t batch_size,
                    Error *error);
void batches_free(Batches *batches);
size_t batches_count(const Batches *batches);

/* A new order that depends on `random` alone and not on the order before. With a batch_size of 0 the users
 * stay in the order of users.tsv, and `random` is left as it is. */
void batches_shuffle(Batches *batches, Random *random);

/* Start from {0}; the arrays are kept from batch to batch. Positions are the items of all rows in turn. */
typedef struct Batch {
    uint32_t user_count, distinct_count;
    const uint32_t *users; /* [user_count]; they belong to the Batches */
    size_t *offsets;       /* [user_count + 1]: row b is the positions offsets[b] … offsets[b + 1] − 1 */
    uint32_t *items;       /* [position_count]: item numbers */
    uint32_t *indices;     /* [position_count]: where the item stands in `distinct` */
    uint32_t *distinct;    /* [distinct_count]: item numbers, in the order of first occurrence */
    size_t position_count;
    size_t longest;    /* row */
    size_t step_count; /* pairs of an item and the next one; a row of one item has none */

    uint32_t *seen; /* scratch: [item_count + 1], 1 + the index of an item in `distinct`, or 0 */
    size_t seen_count, user_capacity, position_capacity, index_capacity, distinct_capacity;
} Batch;

void batch_fill(Batch *batch, const Batches *batches, size_t number);
void batch_free(Batch *batch);

/* The rows with padding on the left: out[user_count × width] takes values[position] (`items` or `indices`)
 * and `padding`. Of a row longer than `width` the last items are taken. */
void batch_pad(const Batch *batch, const uint32_t *values, uint32_t padding, size_t width, uint32_t *out);

#endif

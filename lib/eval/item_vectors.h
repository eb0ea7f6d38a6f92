/* Item vectors by item number, wherever they lie: in an array, or in the store of a stream. */
#ifndef EVAL_ITEM_VECTORS_H
#define EVAL_ITEM_VECTORS_H

#include "data/feature_store.h"

typedef struct ItemVectors {
    size_t dim;
    const float *padding;      /* [dim]: item number 0 */
    const float *array;        /* [items + 1, dim] by item number; or NULL, and: */
    const FeatureStore *store; /* of kind FEATURE_VECTORS */
    const uint32_t *rows;      /* by item number: the item of the store */
} ItemVectors;

/* The vectors of `count` items, none of which is 0, any of them more than once: out[count, dim]. The threads
 * share the work. */
void item_vectors_gather(const ItemVectors *vectors, const uint32_t *items, size_t count, float *out);

#endif

/* What reading and making a feature cache share. */
#ifndef DATA_FEATURE_CACHE_PRIVATE_H
#define DATA_FEATURE_CACHE_PRIVATE_H

#include "core/file.h"
#include "data/feature_cache_layout.h"

#include <xxhash.h>

struct FeatureCache {
    char *path;
    uint64_t *hashes; /* of the items' rows: in the tables, or those so far */

    /* One that was found */
    GrowingMemory tables;
    uint8_t *checked; /* [items] */

    /* One that is being made; it is not checked */
    OutputFile *file;
    XXH3_state_t *item; /* of the rows of the item under way */
    size_t count, capacity;
};

#endif

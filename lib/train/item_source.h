/* Where the items of a batch come from: the stores of the streams, joined by item name. */
#ifndef TRAIN_ITEM_SOURCE_H
#define TRAIN_ITEM_SOURCE_H

#include "core/ranks.h"
#include "data/behaviours.h"
#include "data/feature_store.h"
#include "model/modality.h"
#include "model/recommender.h"

/* The stores: of each modality, and of item vectors. */
enum { SOURCE_TEXT = MODALITY_TEXT, SOURCE_IMAGE = MODALITY_IMAGE, SOURCE_VECTORS, SOURCES };

typedef struct ItemSource {
    FeatureStore *stores[SOURCES]; /* NULL where a tower does not read them; not owned */
    const NameTable *names;        /* of the items that all stores have, in the order of the first */
    NameTable *own_names;          /* the same, where some are left out; or else they are the first store's */
    size_t dropped;                /* items that some store lacks */
    uint32_t *rows[SOURCES];       /* by number in `names`: the item in the store */
    uint32_t *by_item[SOURCES];    /* the same by item number of the behaviours, after item_source_number */
    size_t image_tokens;
} ItemSource;

/* Joins the stores that are not NULL; `catalogue` (or NULL) names the items when there is no store (an ID
 * tower). Stores and catalogue must outlive the source. */
bool item_source_create(ItemSource *source, FeatureStore *const stores[SOURCES], const NameTable *catalogue,
                        Error *error);
void item_source_free(ItemSource *source);

/* Takes over the numbers that behaviours_read gave the items of source->names. */
void item_source_number(ItemSource *source, const Behaviours *behaviours);

/* The features of items by their numbers, in the tape's memory. */
void item_source_gather(const ItemSource *source, Tape *tape, const uint32_t *items, size_t count,
                        ItemBatch *batch);

/* Items whose features will be gathered next. */
void item_source_want(const ItemSource *source, const uint32_t *items, size_t count);

/* The vectors of items 1 … count, and the padding item's as row 0: vectors [count + 1, D]. Each rank encodes
 * a share of them, and all get all. */
void item_source_encode(const ItemSource *source, const Recommender *recommender, const Ranks *ranks,
                        Tape *tape, size_t count, float *vectors);

#endif

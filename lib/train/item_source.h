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
    const NameTable *names;        /* of the items of all stores, in the order of the first */
    bool *left_out;                /* [names]: some store lacks the item; NULL: none is */
    size_t dropped;                /* items of stores that are left out */
    uint32_t *by_item[SOURCES];    /* the item in the store, by item number of the behaviours */
    size_t image_tokens;
} ItemSource;

/* Joins the stores that are not NULL: they were read one after the other and share `names`, which are those
 * of the catalogue when there is no store (an ID tower). Stores and names must outlive the source. */
bool item_source_create(ItemSource *source, FeatureStore *const stores[SOURCES], const NameTable *names,
                        Error *error);
void item_source_free(ItemSource *source);

/* Takes over the numbers that behaviours_read gave the items that are not left out. Before anything below. */
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

/* --check-numerics: what each operator makes is looked at, so that a value that is not finite is named where
 * it first arises, and with the item or the user that it belongs to. */
#ifndef TRAIN_NUMERICS_H
#define TRAIN_NUMERICS_H

#include "data/batch.h"
#include "train/item_source.h"

typedef struct Numerics {
    const Behaviours *behaviours;
    const ItemSource *source;
    const Batch *batch; /* under way, or NULL */
    ItemBatch features; /* of its distinct items */
    size_t operators;   /* so far in this step */
    char found[400];    /* the first that was not finite; empty: none */
} Numerics;

/* Looks at all that happens on the tape from now on. */
void numerics_watch(Numerics *numerics, Tape *tape);

/* A step over this batch begins; NULL: something else does. */
void numerics_begin(Numerics *numerics, const Batch *batch);

#endif

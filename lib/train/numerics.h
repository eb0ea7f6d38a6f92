/* --check-numerics: what each operator makes is looked at, so that a value that is not finite is named where
 * it first arises, and with the item or the user that it belongs to. */
#ifndef TRAIN_NUMERICS_H
#define TRAIN_NUMERICS_H

#include "data/batch.h"
#include "train/item_source.h"

typedef struct Numerics {
    const Behaviours *behaviours;
    const ItemSource *source;
    const char *rank;         /* ranks_name */
    const Batch *batch;       /* under way, or NULL */
    size_t first_user, users; /* of the batch, whose inputs this rank has */
    ItemBatch features;       /* of the items that this rank has */
    size_t operators, looks;  /* so far in this step: results; and gradients, too, until one was found */
    char found[480];          /* the first that was not finite; empty: none */
} Numerics;

/* Looks at all that happens on the tape from now on. */
void numerics_watch(Numerics *numerics, Tape *tape);

/* A step over this batch begins; NULL: something else does. */
void numerics_begin(Numerics *numerics, const Batch *batch);

/* Which of the batch's users and items this rank has. */
void numerics_share(Numerics *numerics, size_t first_user, size_t users, const ItemBatch *features);

#endif

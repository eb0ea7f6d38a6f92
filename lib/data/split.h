/* What of a user's kept sequence s is trained on, validated and tested with. In validation and test the last
 * item of a row is the target and those before it, at most L, are the input. SPLIT_NEXT is what comes after
 * all of s: it has no target, and nothing is held out. */
#ifndef DATA_SPLIT_H
#define DATA_SPLIT_H

#include "data/behaviours.h"

typedef enum Split { SPLIT_TRAIN, SPLIT_VALID, SPLIT_TEST, SPLIT_NEXT } Split;

/* Part of a user's sequence; it belongs to the behaviours. */
typedef struct Sequence {
    const uint32_t *items;
    size_t count;
} Sequence;

/* "train", "valid", "test", "next". */
const char *split_name(Split split);

/* One of the first three. */
bool split_from_name(const char *name, Split *split);

/* Training: s without its last two. Validation: the last L + 2 of s without the last one. Test: the last
 * L + 1 of s. Next: s. */
Sequence split_row(const Behaviours *behaviours, Split split, size_t user);

/* The row without its last item; next: the last L of s. In training each item of it has the next one of the
 * row as its target. */
Sequence split_input(const Behaviours *behaviours, Split split, size_t user);

/* Of all but next. */
uint32_t split_target(const Behaviours *behaviours, Split split, size_t user);

/* The items that are not recommended again: for validation the training row, for test the validation row, for
 * next all of s, for training none. An item may stand in it more than once. */
Sequence split_history(const Behaviours *behaviours, Split split, size_t user);

/* How often each item occurs in all rows of a split: [known_count + 1], to be freed. */
uint32_t *split_item_counts(const Behaviours *behaviours, Split split, Error *error);

/* p[i] = count of i / count of all; p[0] = 1: [known_count + 1], to be freed. */
double *split_popularity(const Behaviours *behaviours, Error *error);

/* For each user whether the target is cold, that is in no training row: [user_count], to be freed. */
bool *split_cold_targets(const Behaviours *behaviours, Split split, Error *error);

#endif

/* Rows in lists by where they go, for kernels that add rows up at their targets. */
#ifndef NN_ROW_LISTS_H
#define NN_ROW_LISTS_H

#include "nn/tape.h"

/* Of lists: the targets where the host has them, too. */
typedef struct TargetLists {
    RowLists lists;
    const uint32_t *targets;
} TargetLists;

/* Of the rows 0 … count − 1, where row i goes to rows[i]; those that go to `padding` (−1: none) are left out.
 * Made on the host; its arrays are uploaded. */
TargetLists row_lists_create(Tape *tape, const uint32_t *rows, size_t count, int64_t padding);

#endif

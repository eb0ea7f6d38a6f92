/* Updates of a large table by rows: a step of AdamW moves only the rows that got a gradient since the last
 * one. What the others owe, weight decay, the fading of their moments and the moves that a fading first
 * moment goes on to make, is made up for in one go before they are read again. That is what steps without a
 * gradient do but for rounding, with one liberty: the moves of such a time are taken to be as large as they
 * are in its first step, but for the fading of the moments; epsilon and the corrections of the moments' bias
 * are those of the last step. */
#ifndef NN_ROW_UPDATES_H
#define NN_ROW_UPDATES_H

#include "nn/backend/backend.h"

typedef struct RowUpdates {
    size_t rows;
    uint32_t moves;  /* since all rows owed nothing */
    uint32_t *known; /* by row: of these, how many it has made */
    AdamW last;      /* the last move */
} RowUpdates;

RowUpdates *row_updates_create(size_t rows);
void row_updates_destroy(RowUpdates *updates);

/* Rows of a table, and the same uploaded. NULL: all of them. */
typedef struct RowChoice {
    size_t count;
    const uint32_t *rows, *uploaded;
} RowChoice;

/* A table [rows, columns] with its moments, in the backend's memory. */
typedef struct RowTable {
    size_t columns;
    float *value, *first, *second;
} RowTable;

/* Makes up for all that the chosen rows owe. */
void row_updates_catch_up(RowUpdates *updates, RowChoice choice, RowTable table, const Backend *backend,
                          Arena *scratch);

/* Notes a move of the chosen rows, who owed nothing. */
void row_updates_move(RowUpdates *updates, RowChoice choice, const AdamW *move);

/* Comes to a state in which each row owes so many moves, owed[rows], like `last`; false where there is no
 * such state. */
bool row_updates_restore(RowUpdates *updates, const int32_t *owed, const AdamW *last);

#endif

/* For user encoders that see padding: the inputs of all users step by step, as if each had max_seq_len of
 * them, padding in front. */
#ifndef MODEL_PACKED_ROWS_H
#define MODEL_PACKED_ROWS_H

#include "model/user_encoder/user_encoder.h"

/* In the layout of causal_windows: max_seq_len steps. */
typedef struct PackedRows {
    Segments steps;
    const uint32_t *from;   /* by row: its item vector */
    const uint32_t *places; /* by position of the inputs: its row */
} PackedRows;

/* With `shared`, what padding leads to is taken to be the same for all users: one sequence of it, the first,
 * stands for that of all, and a user's begins with his first input. In the tape's memory. */
PackedRows packed_rows_create(Tape *tape, const UserRows *rows, bool shared);

/* The item vectors in this layout. */
Tensor *packed_rows_gather(Tape *tape, Tensor *items, const PackedRows *packed);

/* Of hidden states in this layout those of the inputs: [positions, D]. */
Tensor *packed_rows_select(Tape *tape, Tensor *hidden, const PackedRows *packed, const UserRows *rows);

#endif

/* For user encoders that see padding: every user's inputs as max_seq_len rows, padding first. */
#ifndef MODEL_PADDED_ROWS_H
#define MODEL_PADDED_ROWS_H

#include "model/user_encoder/user_encoder.h"

/* The item vectors in this layout: [users × max_seq_len, D]. */
Tensor *padded_rows_gather(Tape *tape, Tensor *items, const UserRows *rows);

/* Of hidden states in this layout those of the inputs: [positions, D]. */
Tensor *padded_rows_select(Tape *tape, Tensor *hidden, const UserRows *rows);

#endif

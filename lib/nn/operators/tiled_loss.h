/* The frame of losses that score rows against many candidates. */
#ifndef NN_TILED_LOSS_H
#define NN_TILED_LOSS_H

#include "nn/tape.h"

/* Turns the scores of one row, its products with all `count` candidates, into their gradient and returns the
 * row's loss. `scratch` is memory of the thread. */
typedef double (*RowLoss)(const void *context, size_t row, size_t count, float *scores, float *scratch);

/* The mean of a loss over the rows of x [rows, D] against candidates [count, D]; a scalar. `scratch` floats
 * are there for each thread. */
Tensor *tiled_loss(Tape *tape, Tensor *x, Tensor *candidates, RowLoss loss, const void *context,
                   size_t scratch);

#endif

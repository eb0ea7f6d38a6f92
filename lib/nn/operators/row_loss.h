/* The frame of losses of rows, whose gradients are made at once, in the forward step, since all that the
 * backward step still brings is one factor. */
#ifndef NN_ROW_LOSS_H
#define NN_ROW_LOSS_H

#include "nn/tape.h"

/* Calls the kernel of a loss for the rows first … first + rows − 1 of `count` scores each. */
typedef void (*RowLoss)(Tape *tape, const void *loss, size_t rows, size_t first, size_t count, float share,
                        float *scores, double *losses);

/* The mean of a loss over the rows of x [rows, D] against candidates [count, D], whose scores are their
 * products and exist for a tile of rows at a time; a scalar. */
Tensor *tiled_loss(Tape *tape, Tensor *x, Tensor *candidates, RowLoss row_loss, const void *loss);

/* The backward step of such a loss: *factor · gradient for each of its inputs. */
void pass_loss_gradient(Tape *tape, const Tensor *loss, const float *gradient, Tensor *x);

#endif

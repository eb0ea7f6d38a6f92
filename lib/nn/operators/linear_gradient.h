/* The gradient of what a linear layer made, on its way back. */
#ifndef NN_LINEAR_GRADIENT_H
#define NN_LINEAR_GRADIENT_H

#include "nn/parameters.h"
#include "nn/tape.h"

/* dy [rows, bias columns], in place, behind the activation, whose input was `before` (not read
 * with ACTIVATION_NONE), as an operand, rounded anew; the bias (NULL: there is none) gets its gradient in the
 * same pass. */
Matrix linear_gradient(Tape *tape, Activation activation, float *before, float *dy, size_t rows,
                       size_t columns, Parameter *bias);

#endif

/* Activations and their slopes, in a form that the compiler vectorises. */
#ifndef NN_ACTIVATION_H
#define NN_ACTIVATION_H

#include "nn/backend/kernels.h"
#include "nn/vector_math.h"

#include <stddef.h>

/* y = activation(z); they may be the same memory. */
void activate_row(Activation activation, size_t count, const float *z, float *y);

/* y = activation(z) and gradient = gradient · activation′(z). */
void activate_row_backward(Activation activation, size_t count, const float *z, float *y, float *gradient);

#endif

/* The softmax of the losses, whose sums are kept in double. */
#ifndef NN_SOFTMAX_H
#define NN_SOFTMAX_H

#include "nn/vector_math.h"

#include <stddef.h>

/* Turns count > 0 scores, −∞ among them allowed, into their softmax; returns the log of the sum of their
 * exponentials. */
static inline double softmax_in_place(float *scores, size_t count) {
    float largest = scores[0];
    double total = 0;
#pragma omp simd reduction(max : largest)
    for (size_t c = 0; c < count; c++)
        largest = scores[c] > largest ? scores[c] : largest;
#pragma omp simd reduction(+ : total)
    for (size_t c = 0; c < count; c++) {
        scores[c] = vector_exp(scores[c] - largest);
        total += (double)scores[c];
    }
    const float inverse = (float)(1 / total);
#pragma omp simd
    for (size_t c = 0; c < count; c++)
        scores[c] *= inverse;
    /* cppcheck-suppress invalidFunctionArg ; the largest score adds 1 to the total */
    return log(total) + (double)largest;
}

#endif

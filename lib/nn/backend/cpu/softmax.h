/* The softmax of the losses. Its sums are kept in double, over short sums in float. */
#ifndef NN_SOFTMAX_H
#define NN_SOFTMAX_H

#include "nn/backend/cpu/vector_math.h"

#include <stddef.h>

enum { SOFTMAX_PIECE = 256 };

/* Turns scores, −∞ among them allowed, the largest of which is known, into their softmax times `factor`;
 * returns the log of the sum of their exponentials. */
static inline double softmax_below(float largest, float *scores, size_t count, float factor) {
    double total = 0;
    for (size_t first = 0; first < count; first += SOFTMAX_PIECE) {
        const size_t end = first + SOFTMAX_PIECE < count ? first + SOFTMAX_PIECE : count;
        float part = 0;
#pragma omp simd reduction(+ : part)
        for (size_t c = first; c < end; c++) {
            scores[c] = vector_exp(scores[c] - largest);
            part += scores[c];
        }
        total += (double)part;
    }
    const float scale = (float)((double)factor / total);
#pragma omp simd
    for (size_t c = 0; c < count; c++)
        scores[c] *= scale;
    /* cppcheck-suppress invalidFunctionArg ; the largest score adds 1 to the total */
    return log(total) + (double)largest;
}

/* The same of count > 0 scores. */
static inline double softmax_in_place(float *scores, size_t count, float factor) {
    float largest = scores[0];
#pragma omp simd reduction(max : largest)
    for (size_t c = 0; c < count; c++)
        largest = scores[c] > largest ? scores[c] : largest;
    return softmax_below(largest, scores, count, factor);
}

#endif

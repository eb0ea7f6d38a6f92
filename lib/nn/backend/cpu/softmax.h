/* The softmax of the losses. Its sums are kept in double, over short sums in float. */
#ifndef NN_SOFTMAX_H
#define NN_SOFTMAX_H

#include "nn/backend/cpu/lanes.h"
#include "nn/backend/cpu/vector_math.h"

#include <stddef.h>

enum { SOFTMAX_PIECE = 256 };

/* Turns as many scores as there are lanes into their exponentials and adds them to the sums. */
static inline void add_exponentials(float largest, float *scores, float *sums) {
#pragma omp simd
    for (size_t j = 0; j < SMALL_WIDTH; j++) {
        scores[j] = vector_exp_below(scores[j] - largest);
        sums[j] += scores[j];
    }
}

/* The same of `count` scores; returns their sum. */
static inline float exponentials(float largest, float *scores, size_t count) {
    float sums[SMALL_WIDTH] = {0}, rest[SMALL_WIDTH];
    const size_t whole = count / SMALL_WIDTH * SMALL_WIDTH;
    for (size_t first = 0; first < whole; first += SMALL_WIDTH)
        add_exponentials(largest, scores + first, sums);
    if (whole < count) {
        for (size_t j = 0; j < SMALL_WIDTH; j++)
            rest[j] = whole + j < count ? scores[whole + j] : -INFINITY;
        add_exponentials(largest, rest, sums);
        memcpy(scores + whole, rest, (count - whole) * sizeof *rest);
    }
    return lanes_sum(sums);
}

/* Turns scores, −∞ among them allowed, the largest of which is known, into their softmax times `factor`;
 * returns the log of the sum of their exponentials. */
static inline double softmax_below(float largest, float *scores, size_t count, float factor) {
    double total = 0;
    for (size_t first = 0; first < count; first += SOFTMAX_PIECE) {
        const size_t left = count - first;
        total += (double)exponentials(largest, scores + first, left < SOFTMAX_PIECE ? left : SOFTMAX_PIECE);
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

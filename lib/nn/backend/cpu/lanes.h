/* What is found of the floats of one vector register. Loops over short rows that sum up or look for the
 * largest value do so by lanes: where the number of rounds is not known, the compiler's own way takes longer
 * to end than they do. */
#ifndef NN_LANES_H
#define NN_LANES_H

#include "nn/backend/cpu/small_matmul.h"

/* Both leave other values in the lanes. */
static inline float lanes_sum(float lanes[SMALL_WIDTH]) {
#pragma GCC unroll 4
    for (size_t half = SMALL_WIDTH / 2; half; half /= 2)
#pragma omp simd
        for (size_t j = 0; j < half; j++)
            lanes[j] += lanes[j + half];
    return lanes[0];
}

static inline float lanes_largest(float lanes[SMALL_WIDTH]) {
#pragma GCC unroll 4
    for (size_t half = SMALL_WIDTH / 2; half; half /= 2)
#pragma omp simd
        for (size_t j = 0; j < half; j++)
            lanes[j] = lanes[j + half] > lanes[j] ? lanes[j + half] : lanes[j];
    return lanes[0];
}

#endif

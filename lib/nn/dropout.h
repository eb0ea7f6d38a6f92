/* Dropout without a stored mask: whether element i is kept follows from the seed of this use and i alone, on
 * any thread, in the forward as in the backward step. */
#ifndef NN_DROPOUT_H
#define NN_DROPOUT_H

#include "core/random.h"

typedef struct Dropout {
    uint64_t seed;
    uint32_t threshold; /* dropped when 32 hashed bits are below it */
    float scale;        /* 1 / (1 − rate): what a kept element is multiplied with */
} Dropout;

static inline Dropout dropout_create(double rate, uint64_t seed) {
    return (Dropout){seed, (uint32_t)(rate * 4294967296.0), (float)(1.0 / (1.0 - rate))};
}

/* What element `index` is multiplied with: 0 or 1 / (1 − rate). */
static inline float dropout_factor(Dropout dropout, uint64_t index) {
    return (uint32_t)(random_hash(dropout.seed, index) >> 32) < dropout.threshold ? 0.0f : dropout.scale;
}

#endif

/* Dropout without a stored mask: whether element i is kept follows from the seed of this use and i alone, on
 * any thread, in the forward as in the backward step. */
#ifndef NN_DROPOUT_H
#define NN_DROPOUT_H

#include "nn/backend/everywhere.h"

#include <stdbool.h>
#include <stdint.h>

typedef struct Dropout {
    uint64_t seed;
    uint32_t threshold; /* dropped when 32 hashed bits are below it */
    float scale;        /* 1 / (1 − rate): what a kept element is multiplied with */
} Dropout;

/* All is kept. */
static inline Dropout dropout_none(void) {
    const Dropout none = {0, 0, 1.0f};
    return none;
}

static inline Dropout dropout_create(double rate, uint64_t seed) {
    const Dropout dropout = {seed, (uint32_t)(rate * 4294967296.0), (float)(1.0 / (1.0 - rate))};
    return dropout;
}

/* Whether any element is dropped; if not, all factors are 1. */
static inline bool dropout_drops(Dropout dropout) {
    return dropout.threshold != 0;
}

/* MurmurHash3's finalizer over the index, with half of the seed before it and half within. In 32 bits, of
 * which vector units take most at a time; so it repeats after 2³² elements. */
EVERYWHERE static inline uint32_t dropout_hash(uint64_t seed, uint32_t index) {
    uint32_t bits = index ^ (uint32_t)seed;
    bits = (bits ^ bits >> 16) * 0x85ebca6bu + (uint32_t)(seed >> 32);
    bits = (bits ^ bits >> 13) * 0xc2b2ae35u;
    return bits ^ bits >> 16;
}

/* What element `index` is multiplied with: 0 or 1 / (1 − rate). */
EVERYWHERE static inline float dropout_factor(Dropout dropout, uint64_t index) {
    return dropout_hash(dropout.seed, (uint32_t)index) < dropout.threshold ? 0.0f : dropout.scale;
}

#endif

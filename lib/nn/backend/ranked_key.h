/* A candidate and its finite score as one number: of two candidates the one with the larger key is
 * recommended first, by its score, and of equal scores by its place. No key is 0. −0 equals 0, and comes back
 * as 0. */
#ifndef NN_BACKEND_RANKED_KEY_H
#define NN_BACKEND_RANKED_KEY_H

#include "nn/backend/everywhere.h"

#include <stdint.h>
#include <string.h>

/* The bits of floats above 0 rise with them; those of floats below fall, and have the sign set. */
EVERYWHERE static inline uint64_t ranked_key(float score, uint32_t candidate) {
    const float value = score == 0 ? 0 : score;
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    bits = bits & 0x80000000u ? ~bits : bits | 0x80000000u;
    return (uint64_t)bits << 32 | (uint32_t)~candidate;
}

EVERYWHERE static inline float ranked_score(uint64_t key) {
    uint32_t bits = (uint32_t)(key >> 32);
    float score;
    bits = bits & 0x80000000u ? bits & 0x7fffffffu : ~bits;
    memcpy(&score, &bits, sizeof score);
    return score;
}

EVERYWHERE static inline uint32_t ranked_candidate(uint64_t key) {
    return ~(uint32_t)key;
}

#endif

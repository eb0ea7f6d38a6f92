/* Tensor cores on the host: the lanes of a warp show each other their operands. */
#ifndef CUDA_ON_HOST_TENSOR_CORES_H
#define CUDA_ON_HOST_TENSOR_CORES_H

#include "nn/backend/cuda/values.h"

static inline uint32_t pack_bf16(float first, float second) {
    return round_to_bf16(first) | static_cast<uint32_t>(round_to_bf16(second)) << 16;
}

/* Half a word, with the lower halves first, of those that a lane shows. */
static inline float shown_value(const uint64_t *words, unsigned lane, unsigned half) {
    return widen_bf16(static_cast<uint16_t>(words[lane * FIBERS_MOST_WORDS + half / 4] >> half % 4 * 16));
}

static inline void multiply_add(const uint32_t (&left)[4], const uint32_t (&right)[2], float (&sums)[4]) {
    uint64_t own[3];
    memcpy(own, left, sizeof left);
    memcpy(own + 2, right, sizeof right);
    const uint64_t *words = fibers_exchange(own, 3);
    const unsigned row = fibers_lane() / 4, pair = fibers_lane() % 4 * 2;
    for (unsigned i = 0; i < 4; i++)
        for (unsigned k = 0; k < 16; k++)
            sums[i] += shown_value(words, row * 4 + k % 8 / 2, k / 8 * 4 + i / 2 * 2 + k % 2) *
                       shown_value(words, (pair + i % 2) * 4 + k % 8 / 2, 8 + k / 8 * 2 + k % 2);
}

#endif

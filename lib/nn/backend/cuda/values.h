/* What kernels compute with: sums over a warp and a block, bf16, dropout. */
#ifndef CUDA_VALUES_H
#define CUDA_VALUES_H

#include "device.h"
#include "nn/dropout.h"

#include <cuda_runtime.h>

/* The sum of the warp's values, in the same order in every lane. */
template <typename T> static __device__ inline T warp_sum(T value) {
    for (int lane = WARP / 2; lane; lane /= 2)
        value += __shfl_xor_sync(0xffffffffu, value, lane);
    return value;
}

static __device__ inline float warp_largest(float value) {
    for (int lane = WARP / 2; lane; lane /= 2)
        value = fmaxf(value, __shfl_xor_sync(0xffffffffu, value, lane));
    return value;
}

/* The sum of the values of a block of BLOCK threads, in every thread. */
template <typename T> static __device__ inline T block_sum(T value) {
    __shared__ T parts[WARPS];
    value = warp_sum(value);
    __syncthreads(); /* the parts of a sum before may still be read */
    if (threadIdx.x % WARP == 0) parts[threadIdx.x / WARP] = value;
    __syncthreads();
    T sum = parts[0];
    for (int i = 1; i < WARPS; i++)
        sum += parts[i];
    return sum;
}

static __device__ inline float block_largest(float value) {
    __shared__ float parts[WARPS];
    value = warp_largest(value);
    __syncthreads();
    if (threadIdx.x % WARP == 0) parts[threadIdx.x / WARP] = value;
    __syncthreads();
    float largest = parts[0];
    for (int i = 1; i < WARPS; i++)
        largest = fmaxf(largest, parts[i]);
    return largest;
}

/* To the nearest, ties to even; a NaN stays one. */
static __device__ inline uint16_t round_to_bf16(float value) {
    const unsigned bits = __float_as_uint(value);
    if ((bits & 0x7fffffffu) > 0x7f800000u) return static_cast<uint16_t>(bits >> 16 | 0x40u);
    return static_cast<uint16_t>((bits + 0x7fffu + (bits >> 16 & 1u)) >> 16);
}

static __device__ inline float widen_bf16(uint16_t value) {
    return __uint_as_float(static_cast<unsigned>(value) << 16);
}

static __device__ inline float sigmoid(float x) {
    return 1.0f / (1.0f + expf(-x));
}

#endif

/* What tensor cores multiply: the instruction mma.m16n8k16 of PTX, with operands in bf16 and sums in f32. */
#ifndef CUDA_TENSOR_CORES_H
#define CUDA_TENSOR_CORES_H

#include "device.h"

#ifdef __CUDACC__

/* Two values in bf16, to the nearest, ties to even; the first is the lower half of the word. */
static __device__ inline uint32_t pack_bf16(float first, float second) {
    uint32_t word;
    asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(word) : "f"(second), "f"(first));
    return word;
}

/* By the lanes of a warp together: sums [16, 8] += left [16, 16] · right [16, 8]. With row = lane / 4 and
 * pair = lane % 4 · 2 a lane has
 *     of left the columns pair and pair + 1 of the rows row and row + 8, and then 8 columns further;
 *     of right the rows pair and pair + 1 of the column row, and then 8 rows further;
 *     of the sums the columns pair and pair + 1 of the row row, and then of the row row + 8.
 * It stays where it is called, so that no lane comes to it alone. */
static __device__ inline void multiply_add(const uint32_t (&left)[4], const uint32_t (&right)[2],
                                           float (&sums)[4]) {
    asm volatile(
        "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 "
        "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
        : "+f"(sums[0]), "+f"(sums[1]), "+f"(sums[2]), "+f"(sums[3])
        : "r"(left[0]), "r"(left[1]), "r"(left[2]), "r"(left[3]), "r"(right[0]), "r"(right[1]));
}

#else
#include "nn/backend/cuda/on_host/tensor_cores.h"
#endif
#endif

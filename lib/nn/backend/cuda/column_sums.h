/* Sums over the rows of a matrix whose elements are computed on the way. */
#ifndef CUDA_COLUMN_SUMS_H
#define CUDA_COLUMN_SUMS_H

#include "device.h"

/* The rows that a block adds up; the order of the sums follows from the number of rows alone. */
static inline size_t rows_of_a_part(size_t rows) {
    const size_t part = divide_up(rows, 256);
    return part < 64 ? 64 : part;
}

/* parts[p, j] = Σ element(i, j) over the rows of part p, or to[j] += it when there is one part. */
template <typename Element>
__global__ void __launch_bounds__(BLOCK) sum_parts_kernel(size_t rows, size_t columns, size_t part_rows,
                                                          Element element, float *parts, float *to) {
    __shared__ float sums[WARPS][WARP];
    const size_t j = static_cast<size_t>(blockIdx.x) * WARP + threadIdx.x;
    const size_t first = blockIdx.y * part_rows, end = first + part_rows < rows ? first + part_rows : rows;
    float sum = 0;
    for (size_t i = first + threadIdx.y; j < columns && i < end; i += WARPS)
        sum += element(i, j);
    sums[threadIdx.y][threadIdx.x] = sum;
    __syncthreads();
    if (threadIdx.y || j >= columns) return;
    for (int i = 1; i < WARPS; i++)
        sum += sums[i][threadIdx.x];
    if (gridDim.y == 1)
        to[j] += sum;
    else
        parts[blockIdx.y * columns + j] = sum;
}

/* to[j] += Σ_i element(i, j), where element is a lambda [=] __device__. Takes device_room. */
template <typename Element>
static inline void add_column_sums(size_t rows, size_t columns, float *to, Element element) {
    if (!rows || !columns) return;
    const size_t part_rows = rows_of_a_part(rows), count = divide_up(rows, part_rows);
    float *parts = count > 1 ? static_cast<float *>(device_room(count * columns * sizeof *parts)) : nullptr;
    launch(grid_of(divide_up(columns, WARP), count), dim3(WARP, WARPS), 0, sum_parts_kernel<Element>, rows,
           columns, part_rows, element, parts, to);
    if (count > 1)
        each(columns, [=] __device__(size_t j) {
            float sum = 0;
            for (size_t i = 0; i < count; i++)
                sum += parts[i * columns + j];
            to[j] += sum;
        });
}

#endif

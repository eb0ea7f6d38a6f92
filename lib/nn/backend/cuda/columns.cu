#include "column_sums.h"
#include "table.h"

static void copy(size_t rows, size_t count, const float *from, size_t from_stride, float *to,
                 size_t to_stride) {
    each_cell(rows, count,
              [=] __device__(size_t i, size_t j) { to[i * to_stride + j] = from[i * from_stride + j]; });
}

static void add(size_t rows, size_t count, const float *from, size_t from_stride, float *to,
                size_t to_stride) {
    each_cell(rows, count,
              [=] __device__(size_t i, size_t j) { to[i * to_stride + j] += from[i * from_stride + j]; });
}

static void sums(size_t rows, size_t columns, const float *from, float *to, Arena *) {
    add_column_sums(rows, columns, to, [=] __device__(size_t i, size_t j) { return from[i * columns + j]; });
}

const ColumnKernels cuda_columns = {copy, add, sums};

#include "nn/backend/cpu/kernels.h"

enum { COLUMN_CHUNK = 64 };

static void copy(size_t rows, size_t count, const float *from, size_t from_stride, float *to,
                 size_t to_stride) {
#pragma omp parallel for schedule(static) if (rows * count > PARALLEL_ELEMENTS)
    for (size_t i = 0; i < rows; i++)
        copy_rows(1, count, from + i * from_stride, to + i * to_stride);
}

static void add(size_t rows, size_t count, const float *from, size_t from_stride, float *to,
                size_t to_stride) {
#pragma omp parallel for schedule(static) if (rows * count > PARALLEL_ELEMENTS)
    for (size_t i = 0; i < rows; i++)
        add_row(count, from + i * from_stride, to + i * to_stride);
}

static void sums(size_t rows, size_t columns, const float *from, float *to, Arena *scratch) {
    (void)scratch;
#pragma omp parallel for schedule(static) if (rows * columns > PARALLEL_ELEMENTS)
    for (size_t first = 0; first < columns; first += COLUMN_CHUNK) {
        const size_t width = smaller(COLUMN_CHUNK, columns - first);
        float sum[COLUMN_CHUNK] = {0};
        for (size_t i = 0; i < rows; i++)
            add_row(width, from + i * columns + first, sum);
        add_row(width, sum, to + first);
    }
}

const ColumnKernels cpu_columns = {copy, add, sums};

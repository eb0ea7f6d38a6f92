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

/* Sums are taken by blocks of rows, so that they are the same on any threads; blocks are added in order. */
void cpu_add_row_sums(size_t count, size_t columns, const float *from, const uint32_t *order, float *to,
                      Arena *scratch) {
    const size_t blocks = shares(count, SUM_ROWS);
    const ArenaMark mark = arena_mark(scratch);
    float *parts = arena_take(scratch, blocks * columns, sizeof *parts);
#pragma omp parallel for collapse(2) schedule(static) if (count * columns > PARALLEL_ELEMENTS)
    for (size_t block = 0; block < blocks; block++)
        for (size_t first = 0; first < columns; first += COLUMN_CHUNK) {
            const size_t width = smaller(COLUMN_CHUNK, columns - first);
            const size_t end = smaller((block + 1) * SUM_ROWS, count);
            float sum[COLUMN_CHUNK] = {0};
            for (size_t i = block * SUM_ROWS; i < end; i++)
                add_row(width, from + (order ? order[i] : i) * columns + first, sum);
            copy_rows(1, width, sum, parts + block * columns + first);
        }
    for (size_t block = 0; block < blocks; block++)
        add_row(columns, parts + block * columns, to);
    arena_rewind(scratch, mark);
}

static void sums(size_t rows, size_t columns, const float *from, float *to, Arena *scratch) {
    cpu_add_row_sums(rows, columns, from, NULL, to, scratch);
}

const ColumnKernels cpu_columns = {copy, add, sums};

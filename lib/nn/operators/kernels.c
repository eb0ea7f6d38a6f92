#include "nn/operators/kernels.h"

enum { COLUMN_CHUNK = 64 };

void add_column_sums(size_t rows, size_t columns, const float *from, float *to) {
#pragma omp parallel for schedule(static) if (rows * columns > PARALLEL_ELEMENTS)
    for (size_t first = 0; first < columns; first += COLUMN_CHUNK) {
        const size_t width = smaller(COLUMN_CHUNK, columns - first);
        float sum[COLUMN_CHUNK] = {0};
        for (size_t i = 0; i < rows; i++) {
            const float *row = from + i * columns + first;
            for (size_t j = 0; j < width; j++)
                sum[j] += row[j];
        }
        for (size_t j = 0; j < width; j++)
            to[first + j] += sum[j];
    }
}

void add_elements(size_t count, const float *from, float *to) {
#pragma omp parallel for simd schedule(static) if (count > PARALLEL_ELEMENTS)
    for (size_t i = 0; i < count; i++)
        to[i] += from[i];
}

void scatter_add_rows(size_t count, size_t columns, const float *from, const uint32_t *rows, uint32_t row,
                      int64_t padding, float *table) {
#pragma omp parallel for schedule(static) if (count * columns > PARALLEL_ELEMENTS)
    for (size_t first = 0; first < columns; first += COLUMN_CHUNK) {
        const size_t width = smaller(COLUMN_CHUNK, columns - first);
        for (size_t i = 0; i < count; i++) {
            const uint32_t target = rows ? rows[i] : row;
            if ((int64_t)target == padding) continue;
            float *to = table + (size_t)target * columns + first;
            const float *source = from + i * columns + first;
            for (size_t j = 0; j < width; j++)
                to[j] += source[j];
        }
    }
}

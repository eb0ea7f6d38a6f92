#include "nn/backend/cpu/kernels.h"

#include <math.h>
#include <string.h>

#define SMALLEST_NORM 1e-12f

static void gather(size_t count, size_t columns, const float *from, const uint32_t *rows, float *to) {
#pragma omp parallel for schedule(static) if (count * columns > PARALLEL_ELEMENTS)
    for (size_t i = 0; i < count; i++)
        copy_rows(1, columns, from + rows[i] * columns, to + i * columns);
}

static size_t list_rows(const RowLists *lists, size_t i) {
    return lists->offsets[i + 1] - lists->offsets[i];
}

/* Short lists side by side, then each long one by all threads. */
static void scatter_add(size_t columns, const float *from, const RowLists *lists, float *to, Arena *scratch) {
    size_t long_lists = 0;
#pragma omp parallel for schedule(dynamic, 16) reduction(+ : long_lists) if (lists->rows * columns > PARALLEL_ELEMENTS)
    for (size_t i = 0; i < lists->count; i++) {
        const bool is_long = list_rows(lists, i) > SUM_ROWS;
        long_lists += is_long;
        for (size_t j = lists->offsets[i]; !is_long && j < lists->offsets[i + 1]; j++)
            add_row(columns, from + lists->order[j] * columns, to + lists->targets[i] * columns);
    }
    for (size_t i = 0; long_lists && i < lists->count; i++)
        if (list_rows(lists, i) > SUM_ROWS)
            cpu_add_row_sums(list_rows(lists, i), columns, from, lists->order + lists->offsets[i],
                             to + lists->targets[i] * columns, scratch);
}

static void fill(size_t count, size_t columns, const uint32_t *rows, float value, float *to) {
#pragma omp parallel for schedule(static) if (count * columns > PARALLEL_ELEMENTS)
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < columns; j++)
            to[rows[i] * columns + j] = value;
}

static void embedding_sum(const EmbeddingSum *sum) {
    const size_t columns = sum->columns;
#pragma omp parallel for schedule(static) if (sum->count * columns > PARALLEL_ELEMENTS)
    for (size_t i = 0; i < sum->count; i++) {
        float *y = sum->y + i * columns;
        if (sum->base)
            copy_rows(1, columns, sum->base + i * columns, y);
        else
            memset(y, 0, columns * sizeof *y);
        for (size_t t = 0; t < sum->table_count; t++) {
            const EmbeddedRow *embedded = &sum->tables[t];
            const size_t row = embedded->rows ? embedded->rows[i] : embedded->row;
            add_row(columns, embedded->table + row * columns, y);
        }
    }
}

static void normalise(size_t rows, size_t columns, const float *x, float *y, float *inverse) {
#pragma omp parallel for schedule(static) if (rows * columns > PARALLEL_ELEMENTS)
    for (size_t i = 0; i < rows; i++) {
        const float *from = x + i * columns;
        float squares = 0;
#pragma omp simd reduction(+ : squares)
        for (size_t j = 0; j < columns; j++)
            squares += from[j] * from[j];
        const float norm = sqrtf(squares);
        inverse[i] = 1 / (norm > SMALLEST_NORM ? norm : SMALLEST_NORM);
#pragma omp simd
        for (size_t j = 0; j < columns; j++)
            y[i * columns + j] = from[j] * inverse[i];
    }
}

static void normalise_backward(size_t rows, size_t columns, const float *y, const float *inverse,
                               const float *dy, float *dx) {
#pragma omp parallel for schedule(static) if (rows * columns > PARALLEL_ELEMENTS)
    for (size_t i = 0; i < rows; i++) {
        const float *own = y + i * columns, *gradient = dy + i * columns, factor = inverse[i];
        float *to = dx + i * columns, product = 0;
#pragma omp simd reduction(+ : product)
        for (size_t j = 0; j < columns; j++)
            product += own[j] * gradient[j];
#pragma omp simd
        for (size_t j = 0; j < columns; j++)
            to[j] += (gradient[j] - own[j] * product) * factor;
    }
}

static void cut_patches(size_t images, size_t channels, size_t size, size_t patch, const float *pixels,
                        float *to) {
    const size_t side = size / patch, columns = channels * patch * patch;
#pragma omp parallel for schedule(static)
    for (size_t row = 0; row < images * side * side; row++) {
        const size_t image = row / (side * side), top = row / side % side * patch, left = row % side * patch;
        float *line = to + row * columns;
        for (size_t channel = 0; channel < channels; channel++)
            for (size_t y = 0; y < patch; y++, line += patch)
                copy_rows(1, patch, pixels + ((image * channels + channel) * size + top + y) * size + left,
                          line);
    }
}

const RowKernels cpu_rows = {
    .gather = gather,
    .scatter_add = scatter_add,
    .fill = fill,
    .embedding_sum = embedding_sum,
    .normalise = normalise,
    .normalise_backward = normalise_backward,
    .cut_patches = cut_patches,
};

/* Loops that several operators share. */
#ifndef NN_KERNELS_H
#define NN_KERNELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Below this many elements a loop runs on one thread. */
enum { PARALLEL_ELEMENTS = 16384 };

/* What is done to a row in several passes is done to this many elements at a time. */
enum { ROW_PIECE = 512 };

static inline size_t smaller(size_t a, size_t b) {
    return a < b ? a : b;
}

/* How many rows of so many columns are taken at a time when a product's result is worked on at once: few
 * enough for the cache, enough for a product to be fast. */
static inline size_t rows_at_once(size_t columns) {
    const size_t rows = ((size_t)1 << 21) / columns;
    return rows < 256 ? 256 : rows;
}

/* to += from. */
static inline void add_row(size_t count, const float *from, float *to) {
#pragma omp simd
    for (size_t i = 0; i < count; i++)
        to[i] += from[i];
}

/* to[j] += Σ_i from[i, j]: the same sum whatever the number of threads. */
void add_column_sums(size_t rows, size_t columns, const float *from, float *to);

/* to += from. */
void add_elements(size_t count, const float *from, float *to);

/* table[rows[i]] += from[i] (rows NULL: always `row`), but for the row `padding`; the same sum on any
 * threads. */
void scatter_add_rows(size_t count, size_t columns, const float *from, const uint32_t *rows, uint32_t row,
                      int64_t padding, float *table);

#endif

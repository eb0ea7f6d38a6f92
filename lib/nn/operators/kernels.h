/* Loops that several operators share. */
#ifndef NN_KERNELS_H
#define NN_KERNELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Below this many elements a loop runs on one thread. */
enum { PARALLEL_ELEMENTS = 16384 };

/* to[j] += Σ_i from[i, j]: the same sum whatever the number of threads. */
void add_column_sums(size_t rows, size_t columns, const float *from, float *to);

/* to += from. */
void add_elements(size_t count, const float *from, float *to);

/* table[rows[i]] += from[i] (rows NULL: always `row`), but for the row `padding`; the same sum on any
 * threads. */
void scatter_add_rows(size_t count, size_t columns, const float *from, const uint32_t *rows, uint32_t row,
                      int64_t padding, float *table);

#endif

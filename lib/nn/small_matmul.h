/* Products of small matrices on one thread, for the insides of operators that are parallel themselves. */
#ifndef NN_SMALL_MATMUL_H
#define NN_SMALL_MATMUL_H

#include <stddef.h>

enum { SMALL_WIDTH = 16 }; /* floats in a vector register of 64 bytes */

/* n rounded up to whole vectors: what b and c must have room for in every row. */
static inline size_t small_stride(size_t n) {
    return (n + SMALL_WIDTH - 1) / SMALL_WIDTH * SMALL_WIDTH;
}

/* c [m, n] = a [m, k] · b [k, n]. Rows of b and c are whole vectors, aligned to 64 bytes; those of a need not
 * be. What stands in b behind column n is multiplied too and ends behind column n of c. */
void small_matmul(size_t m, size_t n, size_t k, const float *a, size_t a_stride, const float *b,
                  size_t b_stride, float *c, size_t c_stride);

/* to [columns, rows] = the transpose of from [rows, columns], its rows filled up with zeros to whole vectors.
 */
void small_transpose(size_t rows, size_t columns, const float *from, size_t from_stride, float *to,
                     size_t to_stride);

/* to [rows, columns] = factor · from, its rows filled up with zeros to whole vectors. */
void small_copy(size_t rows, size_t columns, float factor, const float *from, size_t from_stride, float *to,
                size_t to_stride);

#endif

/* Products of small matrices on one thread, for the insides of operators that are parallel themselves. */
#ifndef NN_SMALL_MATMUL_H
#define NN_SMALL_MATMUL_H

#include <stdbool.h>
#include <stddef.h>

enum { SMALL_WIDTH = 16 }; /* floats in a vector register of 64 bytes */

/* n rounded up to whole vectors: what b and c must have room for in every row. */
static inline size_t small_stride(size_t n) {
    return (n + SMALL_WIDTH - 1) / SMALL_WIDTH * SMALL_WIDTH;
}

/* The left operand: element (i, p) is values[i * row + p * column], so that a transpose costs nothing. */
typedef struct SmallLeft {
    const float *values;
    size_t row, column;
} SmallLeft;

static inline SmallLeft small_left(const float *matrix, size_t stride) {
    return (SmallLeft){matrix, stride, 1};
}

static inline SmallLeft small_left_transposed(const float *matrix, size_t stride) {
    return (SmallLeft){matrix, 1, stride};
}

/* c [m, n] = a [m, k] · b [k, n], or c += it. What stands in b behind column n, up to whole vectors, is
 * multiplied too and ends behind column n of c. */
void small_matmul(size_t m, size_t n, size_t k, SmallLeft a, const float *b, size_t b_stride, bool adds,
                  float *c, size_t c_stride);

/* to [columns, rows] = the transpose of from [rows, columns], its rows filled up with zeros to whole vectors.
 */
void small_transpose(size_t rows, size_t columns, const float *from, size_t from_stride, float *to,
                     size_t to_stride);

/* to [rows, columns] = from, its rows filled up with zeros to whole vectors. */
void small_copy(size_t rows, size_t columns, const float *from, size_t from_stride, float *to,
                size_t to_stride);

#endif

/* The operands of matrix products. */
#ifndef NN_BACKEND_MATRIX_H
#define NN_BACKEND_MATRIX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A backend's own copies of a matrix that takes part in many products, laid out as its products read them
 * fastest; made when a product first wants one. Starts as zeros; the owner calls packing_outdate after each
 * change of the matrix, and Backend.release_packing at the end. */
typedef struct Packing {
    struct PackedMatrix
        *copies[2][2]; /* by whether it is in bf16, by whether the product takes the transpose */
    bool current[2][2];
} Packing;

static inline void packing_outdate(Packing *packing) {
    packing->current[0][0] = packing->current[0][1] = packing->current[1][0] = packing->current[1][1] = false;
}

typedef struct Matrix {
    const float *values;
    size_t stride;           /* from row to row */
    bool transposed;         /* the product takes its transpose */
    const uint16_t *rounded; /* the same in bf16, for a backend that wants it; NULL: the product is in f32 */
    Packing *packing;        /* of a right operand; NULL: none is kept */
} Matrix;

/* A matrix that is only there in f32. */
static inline Matrix matrix_of(const float *values, size_t stride) {
    const Matrix matrix = {values, stride, false, NULL, NULL};
    return matrix;
}

static inline Matrix transposed(Matrix matrix) {
    matrix.transposed = !matrix.transposed;
    return matrix;
}

/* The matrix without its rows before `row`. */
static inline Matrix rows_from(Matrix matrix, size_t row) {
    if (matrix.values) matrix.values += row * matrix.stride;
    if (matrix.rounded) matrix.rounded += row * matrix.stride;
    matrix.packing = NULL;
    return matrix;
}

#endif

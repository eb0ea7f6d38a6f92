/* What differs between processors: the matrix product. */
#ifndef NN_BACKEND_H
#define NN_BACKEND_H

#include "core/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A backend's own copies of a matrix that takes part in many products, laid out as its products read them
 * fastest; made when a product first wants one. Starts as zeros; the owner calls packing_outdate after each
 * change of the matrix, and packing_release at the end. */
typedef struct Packing {
    struct PackedMatrix
        *copies[2][2]; /* by whether it is in bf16, by whether the product takes the transpose */
    bool current[2][2];
} Packing;

static inline void packing_outdate(Packing *packing) {
    packing->current[0][0] = packing->current[0][1] = packing->current[1][0] = packing->current[1][1] = false;
}

void packing_release(Packing *packing);

typedef struct Matrix {
    const float *values;
    size_t stride;           /* from row to row */
    bool transposed;         /* the product takes its transpose */
    const uint16_t *rounded; /* the same in bf16, for a backend that wants it; NULL: the product is in f32 */
    Packing *packing;        /* of a right operand; NULL: none is kept */
} Matrix;

/* A matrix that is only there in f32. */
static inline Matrix matrix_of(const float *values, size_t stride) {
    return (Matrix){values, stride, false, NULL, NULL};
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

typedef struct Backend {
    const char *name;
    bool rounds; /* products take bf16 where the left matrix has it and the right one has it or a packing;
                    sums are f32 */
    /* c [m, n] = a [m, k] · b [k, n] + beta · c, where beta is 0 (c is not read) or 1. */
    void (*matmul)(size_t m, size_t n, size_t k, Matrix a, Matrix b, float beta, float *c, size_t c_stride);
} Backend;

/* The backend of a device ("cpu") for products in a dtype ("f32" or "bf16"). NULL with a message where this
 * processor or this build has none. */
const Backend *backend_find(const char *device, const char *dtype, Error *error);

/* Products in f32, on any processor. */
extern const Backend backend_cpu;

/* Whether backend_find knows bf16 here. */
bool backend_has_bf16(void);

/* What computes the products here, in a line for --version. */
const char *backend_describe(void);

#endif

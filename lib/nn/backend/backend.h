/* What differs between processors: the matrix product. */
#ifndef NN_BACKEND_H
#define NN_BACKEND_H

#include "core/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct Matrix {
    const float *values;
    size_t stride;           /* from row to row */
    bool transposed;         /* the product takes its transpose */
    const uint16_t *rounded; /* the same in bf16, for a backend that wants it; NULL: the product is in f32 */
} Matrix;

/* A matrix that is only there in f32. */
static inline Matrix matrix_of(const float *values, size_t stride) {
    return (Matrix){values, stride, false, NULL};
}

static inline Matrix transposed(Matrix matrix) {
    matrix.transposed = !matrix.transposed;
    return matrix;
}

/* The matrix without its rows before `row`. */
static inline Matrix rows_from(Matrix matrix, size_t row) {
    if (matrix.values) matrix.values += row * matrix.stride;
    if (matrix.rounded) matrix.rounded += row * matrix.stride;
    return matrix;
}

typedef struct Backend {
    const char *name;
    bool rounds; /* products take bf16 where both matrices have it; sums are f32 */
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

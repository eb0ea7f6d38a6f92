/* What differs between processors: the matrix product. */
#ifndef NN_BACKEND_H
#define NN_BACKEND_H

#include "core/error.h"

#include <stdbool.h>
#include <stddef.h>

typedef struct Matrix {
    const float *values;
    size_t stride;   /* from row to row */
    bool transposed; /* the product takes its transpose */
} Matrix;

typedef struct Backend {
    const char *name;
    /* c [m, n] = a [m, k] · b [k, n] + beta · c, where beta is 0 (c is not read) or 1. */
    void (*matmul)(size_t m, size_t n, size_t k, Matrix a, Matrix b, float beta, float *c, size_t c_stride);
} Backend;

/* "cpu": f32 by OpenBLAS. NULL with a message for another name. */
const Backend *backend_find(const char *device, const char *dtype, Error *error);
extern const Backend backend_cpu;

#endif

/* The header of a .npy file: {'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), } behind a magic
 * (https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html). */
#ifndef ARRAYS_NPY_HEADER_H
#define ARRAYS_NPY_HEADER_H

#include "arrays/array_file.h"

enum { NPY_HEADER_LIMIT = 4096 };

typedef struct NpyHeader {
    ElementType type;
    bool big_endian, column_major;
    size_t dimensions;
    uint64_t shape[TENSOR_MAX_DIMENSIONS];
    size_t size; /* where the elements begin */
} NpyHeader;

/* `bytes` is the beginning of the file. A header longer than NPY_HEADER_LIMIT is an error. */
bool npy_header_parse(const unsigned char *bytes, size_t size, NpyHeader *header, Error *error);

/* Writes one for elements that lie row-major; f32 stands for bf16, which NumPy does not know. Returns its
 * size, a multiple of 64. */
size_t npy_header_write(DType dtype, int dimensions, const uint64_t *shape, char header[NPY_HEADER_LIMIT]);

#endif

/* Writes named arrays into safetensors and .npz files, which appear when they are complete. */
#ifndef ARRAYS_ARRAY_WRITER_H
#define ARRAYS_ARRAY_WRITER_H

#include "stream/record.h"

typedef struct OutputArray {
    const char *name;
    DType dtype; /* .npz: not bf16, which NumPy does not know */
    int dimensions;
    uint64_t shape[TENSOR_MAX_DIMENSIONS];
} OutputArray;

/* Where the elements come from: `next` brings the next bytes of array `index`, row-major; it is called for
 * the arrays in their order, for each until its bytes are complete, and never for an array without elements.
 * The bytes stay valid until the next call. */
typedef struct ArraySupply {
    bool (*next)(void *context, size_t index, const void **bytes, size_t *size, Error *error);
    void *context;
} ArraySupply;

size_t output_array_bytes(const OutputArray *array);

/* Names that are no UTF-8 cannot stand in safetensors and are an error. */
bool safetensors_write(const char *path, const OutputArray *arrays, size_t count, ArraySupply supply,
                       Error *error);
bool npz_write(const char *path, const OutputArray *arrays, size_t count, ArraySupply supply, Error *error);

#endif

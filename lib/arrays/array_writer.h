/* Writes named arrays into safetensors, .npz and .npy files. */
#ifndef ARRAYS_ARRAY_WRITER_H
#define ARRAYS_ARRAY_WRITER_H

#include "core/file.h"
#include "stream/record.h"

typedef struct OutputArray {
    const char *name;
    DType dtype; /* bf16 only where the target has it */
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

/* A kind of file to write. Names that are no UTF-8 cannot stand in safetensors and are an error; a .npy holds
 * one array without its name. The caller commits what was written. */
typedef struct ArrayTarget {
    const char *ending;
    bool has_bf16, holds_one;
    bool (*write)(OutputFile *file, const OutputArray *arrays, size_t count, ArraySupply supply,
                  Error *error);
} ArrayTarget;

/* The whole of it: a file that appears when it is complete. */
bool array_target_write(const ArrayTarget *target, const char *path, const OutputArray *arrays, size_t count,
                        ArraySupply supply, Error *error);

extern const ArrayTarget safetensors_target, npz_target, npy_target;

/* By what the name ends in; NULL with a message when that says nothing. */
const ArrayTarget *array_target_find(const char *path, Error *error);

#endif

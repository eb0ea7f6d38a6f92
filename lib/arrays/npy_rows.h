/* A .npy file of f32 rows whose number is known only at the end. */
#ifndef ARRAYS_NPY_ROWS_H
#define ARRAYS_NPY_ROWS_H

#include "core/error.h"

#include <stddef.h>

typedef struct NpyRows NpyRows;

/* The file appears at npy_rows_commit. It must be a regular one, since its header is written last. */
NpyRows *npy_rows_open(const char *path, size_t width, Error *error);

/* rows[count, width]; a failure to write is told by npy_rows_commit. */
void npy_rows_add(NpyRows *file, const float *rows, size_t count);

/* Frees `file` either way. */
bool npy_rows_commit(NpyRows *file, Error *error);
void npy_rows_abandon(NpyRows *file);

#endif

/* A .npy file of f32 rows whose number is known only at the end. */
#ifndef ARRAYS_NPY_ROWS_H
#define ARRAYS_NPY_ROWS_H

#include "core/file.h"

#include <stddef.h>

typedef struct NpyRows NpyRows;

/* It must be a regular file, since its header is written last. */
NpyRows *npy_rows_open(const char *path, size_t width, Error *error);

/* rows[count, width]; a failure to write is told when the file is committed. */
void npy_rows_add(NpyRows *file, const float *rows, size_t count);

/* The complete file, to be committed. Frees `file` either way. */
OutputFile *npy_rows_finish(NpyRows *file, Error *error);
void npy_rows_abandon(NpyRows *file);

#endif

/* What the kinds of file to write share. */
#ifndef ARRAYS_ARRAY_TARGET_H
#define ARRAYS_ARRAY_TARGET_H

#include "arrays/array_writer.h"
#include "core/file.h"

/* Writes the elements of array `index` as they are supplied. */
bool output_array_put(OutputFile *file, const OutputArray *array, size_t index, ArraySupply supply,
                      Error *error);

#endif

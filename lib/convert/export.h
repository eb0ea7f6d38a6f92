/* Tensor streams and image stores to files of other programs: what pm-export does. */
#ifndef CONVERT_EXPORT_H
#define CONVERT_EXPORT_H

#include "core/error.h"

#include <stddef.h>

/* Writes what `output` ends in, .safetensors, .npz or .npy. The input is a stream, which is read twice, so it
 * must be a file, or an image store, or several of them. Of what has a record an item the keys go beside
 * `output` as NAME.keys.tsv. */
bool export_files(char *const *inputs, size_t count, const char *output, Error *error);

#endif

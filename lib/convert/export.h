/* Tensor streams and image stores to files of other programs: what pm-export does. */
#ifndef CONVERT_EXPORT_H
#define CONVERT_EXPORT_H

#include "core/error.h"

/* Writes what `output` ends in, .safetensors, .npz or .npy. `input` is a stream, which is read twice, so it
 * must be a file, or an image store. Of what has a record an item the keys go beside `output` as
 * NAME.keys.tsv. */
bool export_file(const char *input, const char *output, Error *error);

#endif

/* Tensor streams and image stores to files of other programs: what pm-export does. */
#ifndef INTEROP_EXPORT_H
#define INTEROP_EXPORT_H

#include "core/error.h"

/* Reads `input` twice, so it must be a file. `output` ends in .safetensors or .npz, which says what is written.
 * Of a stream with a record an item, padded arrays, and the keys beside it as NAME.keys.tsv. */
bool export_stream(const char *input, const char *output, Error *error);

/* An image store: pixels, uint8 [items, size, size, 3]. */
bool export_images(const char *input, const char *output, Error *error);

#endif

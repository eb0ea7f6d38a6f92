/* Several image stores to one. */
#ifndef DATA_IMAGE_JOIN_H
#define DATA_IMAGE_JOIN_H

#include "core/error.h"

#include <jansson.h>

/* Writes the images of the stores, one store after the other, to a store at `output`; all must have images of
 * one size, and no item may be in two of them. `header` (stolen) brings the provenance. */
bool image_stores_join(char *const *paths, size_t count, const char *output, json_t *header, size_t *images,
                       Error *error);

#endif

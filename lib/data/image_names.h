/* Names of image files and of items. */
#ifndef DATA_IMAGE_NAMES_H
#define DATA_IMAGE_NAMES_H

#include <stddef.h>

/* The length of the name without its extension; 0 when the extension is no image's. */
size_t image_stem_size(const char *name);

/* How two names differ that were probably meant to be one: text for a hint, or NULL. */
const char *image_names_differ(const char *item, size_t size, const char *other, size_t other_size);

#endif

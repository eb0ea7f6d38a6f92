/* The image of a made-up item: its kind as a shape, in its colour, a little off the middle, turned and
 * blemished. */
#ifndef DATA_SYNTH_IMAGE_H
#define DATA_SYNTH_IMAGE_H

#include "core/error.h"
#include "data/synth_catalogue.h"

/* size × size × 3 bytes, row by row, red first. */
void synth_image_render(const SynthCatalogue *catalogue, size_t item, int size, uint8_t *pixels);

/* Writes such pixels to `path` as a JPEG of quality 90. On failure nothing is left there. */
bool synth_image_write(const char *path, const uint8_t *pixels, int size, Error *error);

#endif

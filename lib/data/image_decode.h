/* Image files to pixels: JPEG, PNG and WebP, told apart by their content, never by their name. Where Pillow
 * reads a file, the pixels are Pillow's `convert("RGB")`, bit for bit (formats/images.md). */
#ifndef DATA_IMAGE_DECODE_H
#define DATA_IMAGE_DECODE_H

#include "data/image_sink.h"

#include <stddef.h>

/* Decodes a file held in memory. `warning` is empty afterwards, or says what the decoder found damaged but
 * could pass over. On failure the message does not name the file, and the sink may have got some rows. */
bool image_decode(const uint8_t *bytes, size_t size, const ImageSink *sink, Error *warning, Error *error);

typedef struct Image {
    uint32_t width, height;
    uint8_t *pixels; /* RGB [height, width, 3], to be freed */
} Image;

/* The same, to a whole image in memory. */
bool image_decode_whole(const uint8_t *bytes, size_t size, Image *image, Error *warning, Error *error);

#endif

/* Image files to pixels: JPEG and PNG, told apart by their content, never by their name. Where Pillow reads a
 * file, the pixels are Pillow's `convert("RGB")`, bit for bit (formats/images.md). */
#ifndef DATA_IMAGE_DECODE_H
#define DATA_IMAGE_DECODE_H

#include "core/error.h"

#include <stddef.h>
#include <stdint.h>

/* Pillow's own limit: an image that claims more is refused before any of it is decoded. */
#define IMAGE_MAX_PIXELS 178956970u

/* In a row, a pixel is 4 bytes: red, green, blue, and one without meaning. */
enum { IMAGE_PIXEL = 4 };

/* Takes an image row by row, from the top, as it is decoded; `begin` comes first and may refuse. */
typedef struct ImageSink {
    void *context;
    bool (*begin)(void *context, uint32_t width, uint32_t height, Error *error);
    void (*row)(void *context, const uint8_t *pixels);
} ImageSink;

/* Decodes a file held in memory. `warning` is empty afterwards, or says what the decoder found damaged but
 * could pass over. On failure the message does not name the file, and the sink may have got some rows. */
bool image_decode(const uint8_t *bytes, size_t size, const ImageSink *sink, Error *warning, Error *error);

typedef struct Image {
    uint32_t width, height;
    uint8_t *pixels; /* RGB [height, width, 3], to be freed */
} Image;

/* The same, to a whole image in memory. */
bool image_decode_whole(const uint8_t *bytes, size_t size, Image *image, Error *warning, Error *error);

/* The formats, for image_decode. Each checks the size that the file claims with image_check_size. */
bool image_decode_jpeg(const uint8_t *bytes, size_t size, const ImageSink *sink, Error *warning,
                       Error *error);
bool image_decode_png(const uint8_t *bytes, size_t size, const ImageSink *sink, Error *warning, Error *error);
bool image_check_size(uint32_t width, uint32_t height, Error *error);

#endif

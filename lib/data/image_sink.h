/* Where decoded images go, row by row. */
#ifndef DATA_IMAGE_SINK_H
#define DATA_IMAGE_SINK_H

#include "core/error.h"

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

/* Whether there are pixels, and not more than IMAGE_MAX_PIXELS. */
bool image_check_size(uint32_t width, uint32_t height, Error *error);

#endif

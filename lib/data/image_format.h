/* The decoders of the formats, for image_decode. Each checks the size that the file claims with
 * image_check_size before it decodes. */
#ifndef DATA_IMAGE_FORMAT_H
#define DATA_IMAGE_FORMAT_H

#include "data/image_sink.h"

#include <stddef.h>

typedef bool ImageDecode(const uint8_t *bytes, size_t size, const ImageSink *sink, Error *warning,
                         Error *error);

ImageDecode image_decode_jpeg, image_decode_png, image_decode_webp;

#endif

#include "core/memory.h"
#include "data/image_format.h"

#include <webp/decode.h>

static bool give_rows(const uint8_t *pixels, uint32_t width, uint32_t height, const ImageSink *sink,
                      Error *error) {
    if (!sink->begin(sink->context, width, height, error)) return false;
    for (uint32_t y = 0; y < height; y++)
        sink->row(sink->context, pixels + (size_t)y * width * IMAGE_PIXEL);
    return true;
}

/* The whole image at once, in the decoder's own memory; alpha is dropped, as of a PNG. */
bool image_decode_webp(const uint8_t *bytes, size_t size, const ImageSink *sink, Error *warning,
                       Error *error) {
    (void)warning;
    WebPBitstreamFeatures features;
    if (WebPGetFeatures(bytes, size, &features) != VP8_STATUS_OK) return error_set(error, "broken WebP");
    if (features.has_animation) return error_set(error, "an animated WebP; take one picture out of it");
    if (!image_check_size((uint32_t)features.width, (uint32_t)features.height, error)) return false;
    int width, height;
    uint8_t *pixels = WebPDecodeRGBA(bytes, size, &width, &height);
    if (!pixels) return error_set(error, "broken WebP, or cut short");
    const bool fine = give_rows(pixels, (uint32_t)width, (uint32_t)height, sink, error);
    WebPFree(pixels);
    return fine;
}

#include "data/image_sink.h"

#include <inttypes.h>

bool image_check_size(uint32_t width, uint32_t height, Error *error) {
    if (!width || !height)
        return error_set(error, "an image of %" PRIu32 " × %" PRIu32 " pixels", width, height);
    if ((uint64_t)width * height > IMAGE_MAX_PIXELS)
        return error_set(error, "an image of %" PRIu32 " × %" PRIu32 " pixels; the limit is %u in all", width,
                         height, IMAGE_MAX_PIXELS);
    return true;
}

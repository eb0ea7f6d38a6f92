/* Image files, decoded whole. */
#include "fuzz.h"

#include "data/image_decode.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    Error warning, error;
    Image image;
    if (image_decode_whole(bytes, size, &image, &warning, &error)) free(image.pixels);
    return 0;
}

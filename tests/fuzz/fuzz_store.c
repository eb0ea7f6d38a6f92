/* LMDB files: an image store, and PMMRec's own of pickled images. */
#include "fuzz.h"

#include "data/image_store.h"
#include "data/pickled_images.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    const char *path = fuzz_file("images.lmdb", bytes, size);
    Error error;
    StoredImage image;
    ImageStore *store = image_store_open(path, &error);
    while (store && image_store_next(store, &image, &error) == 1)
        image_store_find(store, image.name, image.name_size, &error);
    image_store_close(store);
    pickled_images_close(pickled_images_open(path, &error));
    return 0;
}

#include "data/image_join.h"

#include "core/memory.h"
#include "data/image_stores.h"
#include "stream/header.h"

#include <stdlib.h>

static bool copy_images(ImageStores *stores, ImageStoreWriter *writer, Error *error) {
    StoredImage image;
    int status;
    while ((status = image_stores_next(stores, &image, error)) > 0)
        if (!image_store_put(writer, image.name, image.name_size, image.pixels, error)) return false;
    return status == 0;
}

/* What the stores were, by the roles store-1, store-2, … */
static json_t *inputs_of(const ImageStores *stores, json_t *header) {
    json_t *inputs = json_object();
    const ImageStore *store;
    for (size_t i = 0; (store = image_stores_part(stores, i)); i++) {
        char *role = memory_format("store-%zu", i + 1);
        json_object_set_new(inputs, role, image_store_content(store));
        header_add_input(header, role, image_store_header(store));
        free(role);
    }
    return inputs;
}

static bool write_joined(ImageStores *stores, const char *output, json_t *header, Error *error) {
    ImageStoreWriter *writer = image_store_create(output, image_stores_size(stores), error);
    if (!writer) return false;
    if (!copy_images(stores, writer, error)) {
        image_store_abandon(writer);
        return false;
    }
    json_object_set(header, "recipe", json_object_get(image_stores_header(stores), "recipe"));
    return image_store_commit(writer, NULL, json_incref(header), inputs_of(stores, header), error);
}

bool image_stores_join(char *const *paths, size_t count, const char *output, json_t *header, size_t *images,
                       Error *error) {
    ImageStores *stores = image_stores_open(paths, count, error);
    const bool fine = stores && write_joined(stores, output, header, error);
    if (fine) *images = image_stores_count(stores);
    image_stores_close(stores);
    json_decref(header);
    return fine;
}

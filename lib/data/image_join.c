#include "data/image_join.h"

#include "core/memory.h"
#include "data/image_store.h"
#include "stream/header.h"

#include <stdlib.h>

static bool copy_images(ImageStore *store, ImageStoreWriter *writer, Error *error) {
    StoredImage image;
    int status;
    while ((status = image_store_next(store, &image, error)) > 0)
        if (!image_store_put(writer, image.name, image.name_size, image.pixels, error)) return false;
    return status == 0;
}

static bool open_stores(char *const *paths, size_t count, ImageStore **stores, Error *error) {
    for (size_t i = 0; i < count; i++) {
        if (!(stores[i] = image_store_open(paths[i], error))) return false;
        if (image_store_size(stores[i]) != image_store_size(stores[0]))
            return error_set(error, "%s has images of %u pixels a side, %s of %u; they do not join", paths[0],
                             image_store_size(stores[0]), paths[i], image_store_size(stores[i]));
    }
    return true;
}

/* What the stores were, by the roles store-1, store-2, … */
static json_t *inputs_of(ImageStore *const *stores, size_t count, json_t *header) {
    json_t *inputs = json_object();
    for (size_t i = 0; i < count; i++) {
        char *role = memory_format("store-%zu", i + 1);
        json_object_set_new(inputs, role, image_store_content(stores[i]));
        header_add_input(header, role, image_store_header(stores[i]));
        free(role);
    }
    return inputs;
}

bool image_stores_join(char *const *paths, size_t count, const char *output, json_t *header, size_t *images,
                       Error *error) {
    ImageStore **stores = memory_need(count, sizeof(ImageStore *));
    ImageStoreWriter *writer = NULL;
    bool fine = open_stores(paths, count, stores, error);
    if (fine) fine = (writer = image_store_create(output, image_store_size(stores[0]), error)) != NULL;
    *images = 0;
    for (size_t i = 0; i < count && fine; i++) {
        fine = copy_images(stores[i], writer, error);
        *images += image_store_count(stores[i]);
    }
    if (fine)
        fine = image_store_commit(writer, NULL, json_incref(header), inputs_of(stores, count, header), error);
    else
        image_store_abandon(writer);
    json_decref(header);
    for (size_t i = 0; i < count; i++)
        image_store_close(stores[i]);
    free(stores);
    return fine;
}

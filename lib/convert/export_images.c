/* Image stores, read as one: one array of all pixels, and the item names. */
#include "convert/export_parts.h"
#include "core/log.h"
#include "data/image_stores.h"

#include <inttypes.h>

typedef struct ImageExport {
    ImageStores *stores;
    size_t bytes; /* of an image */
} ImageExport;

static bool next_image(void *context, size_t index, const void **bytes, size_t *size, Error *error) {
    (void)index;
    const ImageExport *export = context;
    StoredImage image;
    const int status = image_stores_next(export->stores, &image, error);
    if (status == 0) return changed_error(image_stores_name(export->stores), error);
    *bytes = image.pixels;
    *size = export->bytes;
    return status > 0;
}

/* The names in order. The end of this pass has checked the hash of all images. */
static bool collect_names(ImageStores *stores, NameTable *names, Error *error) {
    StoredImage image;
    int status;
    while ((status = image_stores_next(stores, &image, error)) > 0)
        name_table_add(names, image.name, image.name_size, NULL);
    image_stores_rewind(stores);
    return status == 0;
}

bool export_images(const ExportRequest *request, Error *error) {
    ImageStores *stores = image_stores_open(request->inputs, request->count, error);
    if (!stores) return false;
    NameTable *names = name_table_create();
    const uint64_t count = image_stores_count(stores), size = image_stores_size(stores);
    const OutputArray pixels = {"pixels", DTYPE_U8, 4, {count, size, size, 3}};
    ImageExport export = {stores, (size_t)(size * size * 3)};
    const bool fine = collect_names(stores, names, error) &&
                      export_with_keys(request, &pixels, 1, (ArraySupply){next_image, &export}, names, error);
    if (fine) log_report("%" PRIu64 " images of %" PRIu64 " × %" PRIu64 " pixels", count, size, size);
    name_table_destroy(names);
    image_stores_close(stores);
    return fine;
}

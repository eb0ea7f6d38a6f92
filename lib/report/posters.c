#include "report/posters.h"

#include "core/memory.h"
#include "data/image_folder.h"
#include "data/image_resize.h"
#include "data/image_store.h"
#include "data/jpeg_writer.h"
#include "report/html.h"

#include <string.h>

enum { SIZE = 112, QUALITY = 80 };

struct Posters {
    ImageStore *store; /* or: */
    ImageFolder *folder;
    ImageSource source;
    ImageResizer *resizer;
    uint8_t pixels[3 * SIZE * SIZE];
};

Posters *posters_open(const char *path, Error *error) {
    Posters *posters = memory_need(1, sizeof *posters);
    if (image_store_is_one(path)) {
        posters->store = image_store_open(path, error);
    } else {
        posters->folder = image_folder_open(path, NULL, error);
        if (posters->folder) posters->source = image_folder_source(posters->folder);
    }
    if (posters->store || posters->folder) {
        posters->resizer = image_resizer_create(SIZE, &image_recipe_standard);
        return posters;
    }
    free(posters);
    return NULL;
}

void posters_close(Posters *posters) {
    if (!posters) return;
    if (posters->store) image_store_close(posters->store);
    if (posters->folder) image_folder_close(posters->folder);
    image_resizer_destroy(posters->resizer);
    free(posters);
}

/* Resizes an image of the store, RGB [size, size, 3]. */
static bool resize(const ImageSink *sink, const uint8_t *pixels, uint32_t size, Error *error) {
    uint8_t *row = memory_need(size, IMAGE_PIXEL);
    const bool fine = sink->begin(sink->context, size, size, error);
    for (size_t y = 0; fine && y < size; y++) {
        for (size_t x = 0; x < size; x++)
            memcpy(row + IMAGE_PIXEL * x, pixels + 3 * (y * size + x), 3);
        sink->row(sink->context, row);
    }
    free(row);
    return fine;
}

static bool load(Posters *posters, const char *item, size_t size, Error *error) {
    const ImageSink sink = image_resizer_sink(posters->resizer, posters->pixels);
    Error warning;
    if (posters->folder)
        return posters->source.find(posters->source.context, item, size, error) > 0 &&
               posters->source.load(posters->source.context, item, size, &sink, &warning, error);
    const uint8_t *pixels = image_store_find(posters->store, item, size, error);
    return pixels && resize(&sink, pixels, image_store_size(posters->store), error);
}

static bool put_none(FILE *page, const Error *why, Error *error) {
    fputs("data:,", page);
    if (why->of_machine) *error = *why;
    return !why->of_machine;
}

bool posters_put(Posters *posters, const char *item, size_t size, FILE *page, Error *error) {
    Error without = {0};
    if (!load(posters, item, size, &without)) return put_none(page, &without, error);
    size_t count;
    unsigned char *bytes = jpeg_compress(posters->pixels, SIZE, QUALITY, &count);
    fputs("data:image/jpeg;base64,", page);
    html_put_base64(page, bytes, count);
    free(bytes);
    return true;
}

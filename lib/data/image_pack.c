#include "data/image_pack.h"

#include "core/log.h"
#include "core/memory.h"
#include "core/progress.h"
#include "data/image_resize.h"

#include <string.h>

enum { MAX_LISTED = 20 };

typedef struct Packing {
    ImagePack *pack;
    const ImageSource *source;
    const NameTable *items;
    ImageStoreWriter *writer;
    size_t image_bytes;
    Progress progress;
    _Atomic bool failed; /* the writer or the source; nothing more is to be done */
    Error *error;
} Packing;

/* One thread's work on one item. */
typedef struct PackItem {
    const char *name;
    size_t name_size;
    int found;
    bool loaded;
    uint8_t *pixels;
    Error warning, error;
} PackItem;

static void list(size_t number, PackChoice choice, const char *message) {
    void (*say)(const char *, ...) = choice == PACK_ERROR ? log_error : log_warning;
    if (number <= MAX_LISTED) say("%s", message);
}

static void list_rest(size_t count, const char *what) {
    if (count > MAX_LISTED) log_warning("… and %zu more %s", count - MAX_LISTED, what);
}

/* Done first, for it costs next to nothing. */
static bool find_all(Packing *packing) {
    ImagePack *pack = packing->pack;
    const size_t count = name_table_count(packing->items);
    Error message;
    for (size_t i = 0; i < count; i++) {
        size_t size;
        const char *name = name_table_name(packing->items, i, &size);
        const int found = packing->source->find(packing->source->context, name, size, packing->error);
        if (found < 0) return false;
        if (found) continue;
        error_set(&message, "item %s has no image in %s", name, packing->source->name);
        list(++pack->missing_count, pack->missing, message.message);
    }
    list_rest(pack->missing_count, "without an image");
    if (!pack->missing_count || pack->missing != PACK_ERROR) return true;
    return error_set(packing->error,
                     "%zu of %zu items have no image in %s; --missing zero or skip goes on without",
                     pack->missing_count, count, packing->source->name);
}

static void load(const Packing *packing, size_t number, PackItem *item, ImageResizer *resizer) {
    const ImageSource *source = packing->source;
    item->name = name_table_name(packing->items, number, &item->name_size);
    item->found = source->find(source->context, item->name, item->name_size, &item->error);
    item->warning.message[0] = 0;
    if (item->found <= 0) return;
    const ImageSink sink = image_resizer_sink(resizer, item->pixels);
    item->loaded =
        source->load(source->context, item->name, item->name_size, &sink, &item->warning, &item->error);
}

/* What to do about an item that has no usable image: true when it is to be stored as black. */
static bool replace(Packing *packing, PackItem *item) {
    ImagePack *pack = packing->pack;
    const PackChoice choice = item->found ? pack->broken : pack->missing;
    if (item->found) list(++pack->broken_count, choice, item->error.message);
    if (choice != PACK_ZERO) return false;
    memset(item->pixels, 0, packing->image_bytes);
    return true;
}

/* Called for one item at a time, in their order. */
static void store(Packing *packing, PackItem *item) {
    ImagePack *pack = packing->pack;
    const bool is_usable = item->found && item->loaded;
    if (!is_usable && !replace(packing, item)) return;
    if (is_usable && item->warning.message[0]) {
        pack->damaged_count++;
        log_detail("damaged, kept: %s", item->warning.message);
    }
    if (pack->broken == PACK_ERROR && pack->broken_count) return; /* nothing will be kept */
    if (image_store_put(packing->writer, item->name, item->name_size, item->pixels, packing->error))
        pack->packed++;
    else
        packing->failed = true;
}

static void pack_all(Packing *packing, uint32_t size) {
    const size_t count = name_table_count(packing->items);
    progress_start(&packing->progress, "images", count);
#pragma omp parallel
    {
        PackItem *item = memory_need(1, sizeof *item);
        item->pixels = memory_need(packing->image_bytes, 1);
        ImageResizer *resizer = image_resizer_create(size);
#pragma omp for ordered schedule(dynamic)
        for (size_t i = 0; i < count; i++) {
            if (!packing->failed) load(packing, i, item, resizer);
#pragma omp ordered
            if (!packing->failed) {
                store(packing, item);
                progress_update(&packing->progress, i + 1);
            }
        }
        image_resizer_destroy(resizer);
        free(item->pixels);
        free(item);
    }
    progress_finish(&packing->progress);
}

bool image_pack(ImagePack *pack, const ImageSource *source, const NameTable *items, uint32_t size,
                ImageStoreWriter *writer, Error *error) {
    Packing packing = {pack, source, items, writer, 3 * (size_t)size * size, {0}, false, error};
    pack->packed = pack->missing_count = pack->broken_count = pack->damaged_count = 0;
    if (!find_all(&packing)) return false;
    pack_all(&packing, size);
    if (packing.failed) return false;
    list_rest(pack->broken_count, "broken ones");
    if (pack->broken_count && pack->broken == PACK_ERROR)
        return error_set(error, "%zu of %zu images are broken; --broken zero or skip goes on without",
                         pack->broken_count, name_table_count(items));
    return pack->packed || error_set(error, "%s: no usable image of any item", source->name);
}

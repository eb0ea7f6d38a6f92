#include "data/image_pack.h"

#include "core/log.h"
#include "core/memory.h"
#include "core/parallel.h"
#include "core/progress.h"
#include "data/image_resize.h"

#include <pthread.h>
#include <string.h>

enum { MAX_LISTED = 20, SLOTS_PER_THREAD = 4 };

/* An item between its decoding, on any thread, and its turn to be stored. */
typedef struct PackItem {
    const char *name;
    size_t name_size;
    bool is_found, is_loaded, is_ready;
    uint8_t *pixels;
    Error warning, error;
} PackItem;

/* Threads take items in order, decode them into slots and go on; whoever finishes the one that is next to be
 * stored stores it and all that are ready behind it. So no thread waits but for a slot, and asleep: an
 * ordered loop of OpenMP would spin, which on a busy machine takes away the processor that it waits for. */
typedef struct Packing {
    ImagePack *pack;
    const ImageSource *source;
    const NameTable *items;
    ImageStoreWriter *writer;
    size_t image_bytes, count;
    Progress progress;
    Error *error;
    pthread_mutex_t lock; /* of all that follows, and of is_ready */
    pthread_cond_t moved;
    size_t taken, stored;
    PackItem *slots;
    size_t slot_count;
    bool is_storing, failed;
} Packing;

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
    Error message;
    for (size_t i = 0; i < packing->count; i++) {
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
                     pack->missing_count, packing->count, packing->source->name);
}

static void load(const Packing *packing, size_t number, PackItem *item, ImageResizer *resizer) {
    const ImageSource *source = packing->source;
    item->name = name_table_name(packing->items, number, &item->name_size);
    item->is_found = source->find(source->context, item->name, item->name_size, &item->error) > 0;
    item->warning.message[0] = 0;
    if (!item->is_found) return;
    const ImageSink sink = image_resizer_sink(resizer, item->pixels);
    item->is_loaded =
        source->load(source->context, item->name, item->name_size, &sink, &item->warning, &item->error);
}

/* What to do about an item that has no usable image: true when it is to be stored as black. */
static bool replace(Packing *packing, PackItem *item) {
    ImagePack *pack = packing->pack;
    const PackChoice choice = item->is_found ? pack->broken : pack->missing;
    if (item->is_found) list(++pack->broken_count, choice, item->error.message);
    if (choice != PACK_ZERO) return false;
    memset(item->pixels, 0, packing->image_bytes);
    return true;
}

/* Called for one item at a time, in their order. */
static bool store(Packing *packing, PackItem *item) {
    ImagePack *pack = packing->pack;
    const bool is_usable = item->is_found && item->is_loaded;
    if (!is_usable && !replace(packing, item)) return true;
    if (is_usable && item->warning.message[0]) {
        pack->damaged_count++;
        log_detail("damaged, kept: %s", item->warning.message);
    }
    if (pack->broken == PACK_ERROR && pack->broken_count) return true; /* nothing will be kept */
    if (!image_store_put(packing->writer, item->name, item->name_size, item->pixels, packing->error))
        return false;
    pack->packed++;
    return true;
}

static PackItem *slot_of(const Packing *packing, size_t number) {
    return &packing->slots[number % packing->slot_count];
}

/* Under the lock, which is given up while an item is stored. */
static void store_ready(Packing *packing) {
    packing->is_storing = true;
    PackItem *item;
    while (!packing->failed && (item = slot_of(packing, packing->stored))->is_ready) {
        pthread_mutex_unlock(&packing->lock);
        const bool fine = store(packing, item);
        progress_update(&packing->progress, packing->stored + 1);
        pthread_mutex_lock(&packing->lock);
        item->is_ready = false;
        packing->failed = !fine;
        packing->stored++;
        pthread_cond_broadcast(&packing->moved);
    }
    packing->is_storing = false;
}

static void work(Packing *packing, ImageResizer *resizer) {
    pthread_mutex_lock(&packing->lock);
    while (packing->taken < packing->count && !packing->failed) {
        const size_t number = packing->taken++;
        while (number >= packing->stored + packing->slot_count && !packing->failed)
            pthread_cond_wait(&packing->moved, &packing->lock);
        if (packing->failed) break;
        PackItem *item = slot_of(packing, number);
        pthread_mutex_unlock(&packing->lock);
        load(packing, number, item, resizer);
        pthread_mutex_lock(&packing->lock);
        item->is_ready = true;
        if (!packing->is_storing) store_ready(packing);
    }
    pthread_mutex_unlock(&packing->lock);
}

static bool take_slots(Packing *packing) {
    packing->slot_count = (size_t)parallel_threads() * SLOTS_PER_THREAD;
    packing->slots = memory_need(packing->slot_count, sizeof *packing->slots);
    for (size_t i = 0; i < packing->slot_count; i++)
        if (!(packing->slots[i].pixels = memory_allocate(packing->image_bytes, 1, packing->error)))
            return false;
    return true;
}

static void pack_all(Packing *packing, uint32_t size) {
    pthread_mutex_init(&packing->lock, NULL);
    pthread_cond_init(&packing->moved, NULL);
    progress_start(&packing->progress, "images", packing->count);
#pragma omp parallel
    {
        ImageResizer *resizer = image_resizer_create(size);
        work(packing, resizer);
        image_resizer_destroy(resizer);
    }
    progress_finish(&packing->progress);
    pthread_cond_destroy(&packing->moved);
    pthread_mutex_destroy(&packing->lock);
}

bool image_pack(ImagePack *pack, const ImageSource *source, const NameTable *items, uint32_t size,
                ImageStoreWriter *writer, Error *error) {
    Packing packing = {.pack = pack,
                       .source = source,
                       .items = items,
                       .writer = writer,
                       .image_bytes = 3 * (size_t)size * size,
                       .count = name_table_count(items),
                       .error = error};
    pack->packed = pack->missing_count = pack->broken_count = pack->damaged_count = 0;
    if (!find_all(&packing)) return false;
    if (take_slots(&packing))
        pack_all(&packing, size);
    else
        packing.failed = true;
    for (size_t i = 0; i < packing.slot_count; i++)
        free(packing.slots[i].pixels);
    free(packing.slots);
    if (packing.failed) return false;
    list_rest(pack->broken_count, "broken ones");
    if (pack->broken_count && pack->broken == PACK_ERROR)
        return error_set(error, "%zu of %zu images are broken; --broken zero or skip goes on without",
                         pack->broken_count, packing.count);
    return pack->packed || error_set(error, "%s: no usable image of any item", source->name);
}

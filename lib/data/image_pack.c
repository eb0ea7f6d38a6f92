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
typedef struct PackJob {
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
} PackJob;

static void list(size_t number, PackChoice choice, const char *message) {
    void (*say)(const char *, ...) = choice == PACK_ERROR ? log_error : log_warning;
    if (number <= MAX_LISTED) say("%s", message);
}

static void list_rest(size_t count, const char *what) {
    if (count > MAX_LISTED) log_warning("… and %zu more %s", count - MAX_LISTED, what);
}

/* Done first, for it costs next to nothing. */
static bool find_all(PackJob *job) {
    ImagePack *pack = job->pack;
    Error message;
    for (size_t i = 0; i < job->count; i++) {
        size_t size;
        const char *name = name_table_name(job->items, i, &size);
        const int found = job->source->find(job->source->context, name, size, job->error);
        if (found < 0) return false;
        if (found) continue;
        error_set(&message, "item %s has no image in %s", name, job->source->name);
        list(++pack->missing_count, pack->missing, message.message);
    }
    list_rest(pack->missing_count, "without an image");
    if (!pack->missing_count || pack->missing != PACK_ERROR) return true;
    return error_set(job->error,
                     "%zu of %zu items have no image in %s; --missing zero or skip goes on without",
                     pack->missing_count, job->count, job->source->name);
}

static void load(const PackJob *job, size_t number, PackItem *item, ImageResizer *resizer) {
    const ImageSource *source = job->source;
    item->name = name_table_name(job->items, number, &item->name_size);
    item->is_found = source->find(source->context, item->name, item->name_size, &item->error) > 0;
    item->warning.message[0] = 0;
    if (!item->is_found) return;
    const ImageSink sink = image_resizer_sink(resizer, item->pixels);
    item->is_loaded =
        source->load(source->context, item->name, item->name_size, &sink, &item->warning, &item->error);
}

/* What to do about an item that has no usable image: true when it is to be stored as black. */
static bool replace(PackJob *job, PackItem *item) {
    ImagePack *pack = job->pack;
    const PackChoice choice = item->is_found ? pack->broken : pack->missing;
    if (item->is_found) list(++pack->broken_count, choice, item->error.message);
    if (choice != PACK_ZERO) return false;
    memset(item->pixels, 0, job->image_bytes);
    return true;
}

/* Called for one item at a time, in their order. */
static bool store(PackJob *job, PackItem *item) {
    ImagePack *pack = job->pack;
    const bool is_usable = item->is_found && item->is_loaded;
    if (item->is_found && !is_usable && item->error.of_machine) { /* the image may be fine */
        *job->error = item->error;
        return false;
    }
    if (!is_usable && !replace(job, item)) return true;
    if (is_usable && item->warning.message[0]) {
        pack->damaged_count++;
        log_detail("damaged, kept: %s", item->warning.message);
    }
    if (pack->broken == PACK_ERROR && pack->broken_count) return true; /* nothing will be kept */
    if (!image_store_put(job->writer, item->name, item->name_size, item->pixels, job->error)) return false;
    pack->packed++;
    return true;
}

static PackItem *slot_of(const PackJob *job, size_t number) {
    return &job->slots[number % job->slot_count];
}

/* Under the lock, which is given up while an item is stored. */
static void store_ready(PackJob *job) {
    job->is_storing = true;
    PackItem *item;
    while (!job->failed && (item = slot_of(job, job->stored))->is_ready) {
        pthread_mutex_unlock(&job->lock);
        const bool fine = store(job, item);
        progress_update(&job->progress, job->stored + 1);
        pthread_mutex_lock(&job->lock);
        item->is_ready = false;
        job->failed = !fine;
        job->stored++;
        pthread_cond_broadcast(&job->moved);
    }
    job->is_storing = false;
}

static void work(PackJob *job, ImageResizer *resizer) {
    pthread_mutex_lock(&job->lock);
    while (job->taken < job->count && !job->failed) {
        const size_t number = job->taken++;
        while (number >= job->stored + job->slot_count && !job->failed)
            pthread_cond_wait(&job->moved, &job->lock);
        if (job->failed) break;
        PackItem *item = slot_of(job, number);
        pthread_mutex_unlock(&job->lock);
        load(job, number, item, resizer);
        pthread_mutex_lock(&job->lock);
        item->is_ready = true;
        if (!job->is_storing) store_ready(job);
    }
    pthread_mutex_unlock(&job->lock);
}

static bool take_slots(PackJob *job) {
    job->slot_count = (size_t)parallel_threads() * SLOTS_PER_THREAD;
    job->slots = memory_need(job->slot_count, sizeof *job->slots);
    for (size_t i = 0; i < job->slot_count; i++)
        if (!(job->slots[i].pixels = memory_allocate(job->image_bytes, 1, job->error))) return false;
    return true;
}

static void pack_all(PackJob *job, uint32_t size) {
    pthread_mutex_init(&job->lock, NULL);
    pthread_cond_init(&job->moved, NULL);
    progress_start(&job->progress, "images", job->count);
#pragma omp parallel
    {
        ImageResizer *resizer = image_resizer_create(size);
        work(job, resizer);
        image_resizer_destroy(resizer);
    }
    progress_finish(&job->progress);
    pthread_cond_destroy(&job->moved);
    pthread_mutex_destroy(&job->lock);
}

bool image_pack(ImagePack *pack, const ImageSource *source, const NameTable *items, uint32_t size,
                ImageStoreWriter *writer, Error *error) {
    PackJob job = {.pack = pack,
                   .source = source,
                   .items = items,
                   .writer = writer,
                   .image_bytes = 3 * (size_t)size * size,
                   .count = name_table_count(items),
                   .error = error};
    pack->packed = pack->missing_count = pack->broken_count = pack->damaged_count = 0;
    if (!find_all(&job)) return false;
    if (take_slots(&job))
        pack_all(&job, size);
    else
        job.failed = true;
    for (size_t i = 0; i < job.slot_count; i++)
        free(job.slots[i].pixels);
    free(job.slots);
    if (job.failed) return false;
    list_rest(pack->broken_count, "broken ones");
    if (pack->broken_count && pack->broken == PACK_ERROR)
        return error_set(error, "%zu of %zu images are broken; --broken zero or skip goes on without",
                         pack->broken_count, job.count);
    return pack->packed || error_set(error, "%s: no usable image of any item", source->name);
}

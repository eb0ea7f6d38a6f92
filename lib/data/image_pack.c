#include "data/image_pack.h"

#include "core/log.h"
#include "core/memory.h"
#include "core/parallel.h"
#include "core/progress.h"
#include "core/same_run.h"
#include "data/image_decode.h"
#include "data/image_resize.h"

#include <pthread.h>
#include <string.h>

enum { MAX_LISTED = 20, SLOTS_PER_THREAD = 4 };

/* An item between its decoding, on any thread, and its turn to be stored. */
typedef struct PackItem {
    const char *name;
    size_t name_size;
    bool is_found, is_loaded, is_ready;
    ImageFile file; /* of a source that is read from front to back */
    uint8_t *pixels;
    Error warning, error;
} PackItem;

/* Threads take items (or the files of a source, as they come) in order, decode them into slots and go on;
 * whoever finishes the one that is next to be stored stores it and all that are ready behind it. So no thread
 * waits but for a slot, and asleep: an ordered loop of OpenMP would spin, which on a busy machine takes away
 * the processor that it waits for. */
typedef struct PackJob {
    ImagePack *pack;
    const ImageSource *source;
    const NameTable *items;
    ImageStoreWriter *writer;
    size_t image_bytes;
    bool *seen; /* by item, from the first on: the source has brought its file */
    Progress progress;
    Error *error;
    pthread_mutex_t lock; /* of all that follows, and of is_ready */
    pthread_cond_t moved;
    size_t taken, stored; /* counted from 0 */
    size_t next_item;     /* of a source that is asked */
    bool is_at_end;
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

static void list_missing(PackJob *job, const char *name, size_t size) {
    ImagePack *pack = job->pack;
    const ImageSource *source = job->source;
    Error message, hint;
    const bool first = !pack->missing_count++;
    error_set(&message, "item %s has no image in %s", name, source->name);
    list(pack->missing_count, pack->missing, message.message);
    if (first && source->hint && source->hint(source->context, name, size, &hint))
        log_warning("%s", hint.message);
}

static bool judge_missing(const PackJob *job) {
    const ImagePack *pack = job->pack;
    const size_t count = pack->end - pack->first;
    list_rest(pack->missing_count, "without an image");
    if (pack->missing_count == count)
        return error_set(job->error, "none of the %zu items has an image in %s; is it the right place?",
                         count, job->source->name);
    if (!pack->missing_count || pack->missing != PACK_ERROR) return true;
    return error_set(job->error,
                     "%zu of %zu items have no image in %s; --missing zero or skip goes on without",
                     pack->missing_count, count, job->source->name);
}

/* Done first, for it costs next to nothing. */
static bool find_all(PackJob *job) {
    for (size_t i = job->pack->first; i < job->pack->end; i++) {
        size_t size;
        const char *name = name_table_name(job->items, i, &size);
        const int found = job->source->find(job->source->context, name, size, job->error);
        if (found < 0) return false;
        if (!found) list_missing(job, name, size);
    }
    return judge_missing(job);
}

static bool decode_file(PackItem *item, const ImageSink *sink) {
    const ImageFile *file = &item->file;
    if (!file->bytes)
        item->error = file->error;
    else if (image_decode(file->bytes, file->size, sink, &item->warning, &item->error))
        return true;
    return error_prefix(&item->error, "%s: ", file->label);
}

static void load(const PackJob *job, PackItem *item, ImageResizer *resizer) {
    const ImageSource *source = job->source;
    item->warning.message[0] = 0;
    item->is_found =
        source->next || source->find(source->context, item->name, item->name_size, &item->error) > 0;
    if (!item->is_found) return;
    const ImageSink sink = image_resizer_sink(resizer, item->pixels);
    item->is_loaded = source->next ? decode_file(item, &sink)
                                   : source->load(source->context, item->name, item->name_size, &sink,
                                                  &item->warning, &item->error);
    if (source->next && item->warning.message[0]) error_prefix(&item->warning, "%s: ", item->file.label);
    free(item->file.bytes);
    free(item->file.label);
    item->file = (ImageFile){0};
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

static json_t *progress_of(const PackJob *job) {
    const ImagePack *pack = job->pack;
    return json_pack("{s:O?, s:I, s:I, s:I, s:I}", "job", pack->job, "taken", (json_int_t)job->stored + 1,
                     "packed", (json_int_t)pack->packed, "broken", (json_int_t)pack->broken_count, "damaged",
                     (json_int_t)pack->damaged_count);
}

/* Called for one item at a time, in the order in which they were taken. */
static bool store(PackJob *job, PackItem *item) {
    ImagePack *pack = job->pack;
    const bool is_usable = item->is_found && item->is_loaded;
    if (item->is_found && !is_usable && item->error.of_machine) { /* the image may be fine */
        *job->error = item->error;
        return false;
    }
    const bool is_kept = is_usable || replace(job, item);
    if (is_usable && item->warning.message[0]) {
        pack->damaged_count++;
        log_detail("damaged, kept: %s", item->warning.message);
    }
    if (pack->broken == PACK_ERROR && pack->broken_count) return true; /* nothing will be kept */
    if (is_kept && !image_store_put(job->writer, item->name, item->name_size, item->pixels, job->error))
        return false;
    pack->packed += is_kept;
    return image_store_save(job->writer, progress_of(job), job->error);
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
        job->failed |= !fine; /* what was taken meanwhile may have failed, too */
        job->stored++;
        pthread_cond_broadcast(&job->moved);
    }
    job->is_storing = false;
}

/* The next file of an item that is to be packed: 1 when there is one, 0 at the end, −1 on error. */
static int read_file(PackJob *job, PackItem *item) {
    const ImagePack *pack = job->pack;
    const ImageSource *source = job->source;
    int status;
    while ((status = source->next(source->context, &item->file, job->error)) > 0) {
        ImageFile *file = &item->file;
        const size_t number = name_table_find(job->items, file->item, file->item_size);
        const bool is_wanted = number != SIZE_MAX && number >= pack->first && number < pack->end;
        const bool is_twice = is_wanted && job->seen[number - pack->first];
        if (is_wanted) item->name = name_table_name(job->items, number, &item->name_size);
        if (is_wanted) job->seen[number - pack->first] = true;
        if (is_wanted && !is_twice && !image_store_had(job->writer, item->name, item->name_size)) return 1;
        if (is_twice)
            error_set(job->error, "%s: item %s has a second image in it; keep one", file->label, item->name);
        free(file->bytes);
        free(file->label);
        *file = (ImageFile){0};
        if (is_twice) return -1;
    }
    return status;
}

/* Under the lock: what is to be decoded next; false at the end. */
static bool take(PackJob *job, PackItem *item) {
    if (job->source->next) {
        const int status = job->is_at_end ? 0 : read_file(job, item);
        job->failed |= status < 0;
        job->is_at_end |= status <= 0;
        return status > 0;
    }
    if (job->next_item == job->pack->end) return false;
    item->name = name_table_name(job->items, job->next_item++, &item->name_size);
    return true;
}

static void work(PackJob *job, ImageResizer *resizer) {
    pthread_mutex_lock(&job->lock);
    while (!job->failed) {
        while (job->taken >= job->stored + job->slot_count && !job->failed)
            pthread_cond_wait(&job->moved, &job->lock);
        PackItem *item = slot_of(job, job->taken);
        if (job->failed || !take(job, item)) break;
        job->taken++;
        pthread_mutex_unlock(&job->lock);
        load(job, item, resizer);
        pthread_mutex_lock(&job->lock);
        item->is_ready = true;
        if (!job->is_storing) store_ready(job);
    }
    pthread_cond_broadcast(&job->moved); /* at the end, those that wait for a slot need none */
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
    progress_start(&job->progress, "images", job->pack->end - job->pack->first);
#pragma omp parallel
    {
        ImageResizer *resizer = image_resizer_create(size, &job->pack->recipe);
        work(job, resizer);
        image_resizer_destroy(resizer);
    }
    progress_finish(&job->progress);
    pthread_cond_destroy(&job->moved);
    pthread_mutex_destroy(&job->lock);
}

/* Of a source that was read to its end: the items that it did not bring. Those that shall be black come last.
 */
static bool add_missing(PackJob *job) {
    ImagePack *pack = job->pack;
    PackItem item = {.pixels = job->slots[0].pixels};
    memset(item.pixels, 0, job->image_bytes);
    for (size_t i = pack->first; i < pack->end; i++) {
        if (job->seen[i - pack->first]) continue;
        item.name = name_table_name(job->items, i, &item.name_size);
        list_missing(job, item.name, item.name_size);
    }
    if (!judge_missing(job)) return false;
    for (size_t i = pack->first; i < pack->end && pack->missing == PACK_ZERO; i++) {
        if (job->seen[i - pack->first]) continue;
        item.name = name_table_name(job->items, i, &item.name_size);
        if (image_store_had(job->writer, item.name, item.name_size)) continue;
        if (!store(job, &item)) return false;
        job->stored++;
    }
    return true;
}

static size_t number_of(const json_t *progress, const char *key) {
    return (size_t)json_integer_value(json_object_get(progress, key));
}

/* Goes on where the store that is written stands. */
static bool go_on(PackJob *job) {
    ImagePack *pack = job->pack;
    const json_t *progress = image_store_progress(job->writer);
    pack->in_order = !progress && !job->source->next;
    if (!progress) return true;
    if (!same_run(json_object_get(progress, "job"), pack->job, "or remove it to begin anew", job->error))
        return error_prefix(job->error, "%s.part: ", image_store_target(job->writer));
    const size_t taken = number_of(progress, "taken");
    pack->packed = number_of(progress, "packed");
    if (!job->source->next) {
        job->next_item = pack->first + taken < pack->end ? pack->first + taken : pack->end;
        job->taken = job->stored = taken;
        pack->broken_count = number_of(progress, "broken");
        pack->damaged_count = number_of(progress, "damaged");
    }
    log_report("going on after %zu images", pack->packed);
    return true;
}

static bool judge_broken(const PackJob *job) {
    const ImagePack *pack = job->pack;
    list_rest(pack->broken_count, "broken ones");
    if (pack->broken_count && pack->broken == PACK_ERROR)
        return error_set(job->error, "%zu of %zu images are broken; --broken zero or skip goes on without",
                         pack->broken_count, pack->end - pack->first);
    return pack->packed || error_set(job->error, "%s: no usable image of any item", job->source->name);
}

bool image_pack(ImagePack *pack, const ImageSource *source, const NameTable *items, uint32_t size,
                ImageStoreWriter *writer, Error *error) {
    pack->packed = pack->missing_count = pack->broken_count = pack->damaged_count = 0;
    PackJob job = {.pack = pack,
                   .source = source,
                   .items = items,
                   .writer = writer,
                   .image_bytes = 3 * (size_t)size * size,
                   .next_item = pack->first,
                   .seen = memory_need(pack->end - pack->first, sizeof(bool)),
                   .error = error};
    bool fine = go_on(&job) && (source->next || find_all(&job)) && take_slots(&job);
    if (fine) {
        pack_all(&job, size);
        fine = !job.failed && (!source->next || add_missing(&job));
    }
    for (size_t i = 0; i < job.slot_count; i++) {
        free(job.slots[i].pixels);
        free(job.slots[i].file.bytes);
        free(job.slots[i].file.label);
    }
    free(job.slots);
    free(job.seen);
    return fine && judge_broken(&job);
}

#include "core/file.h"
#include "core/memory.h"
#include "data/image_store.h"
#include "data/image_store_layout.h"
#include "stream/content_hash.h"

#include <errno.h>
#include <fcntl.h>
#include <lmdb.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FIRST_MAP = 1 << 20, LEAST_STEP = 1 << 26, BATCH = 64, BATCH_BYTES = 16 << 20 };

/* Images that are written in one transaction. */
typedef struct Batch {
    char *names[BATCH];
    size_t name_sizes[BATCH], count, most;
    uint8_t *pixels;
} Batch;

struct ImageStoreWriter {
    OutputFile *file;
    unsigned flags; /* of LMDB */
    MDB_env *environment;
    size_t map_size;
    uint32_t size;
    size_t image_bytes, count;
    Batch batch;
    json_t *progress, *latest; /* of a store that is gone on with: what was found, and what is to be saved */
    char *order;               /* the names, a newline behind each */
    size_t order_size, order_capacity;
    ContentHash *hash;
};

const char *image_store_target(const ImageStoreWriter *writer) {
    return output_file_name(writer->file);
}

static bool refuse_lmdb(const ImageStoreWriter *writer, int status, Error *error) {
    return error_set(error, "cannot write %s: %s", image_store_target(writer), mdb_strerror(status));
}

/* The blocks are reserved, so that a full disk is an error here and no fault on writing to the map. */
static bool reserve(const ImageStoreWriter *writer, Error *error) {
    errno = posix_fallocate(fileno(output_file_stream(writer->file)), 0, (off_t)writer->map_size);
    return !errno || error_set_errno(error, "cannot write %s", image_store_target(writer));
}

static void close_environment(ImageStoreWriter *writer) {
    if (writer->environment) mdb_env_close(writer->environment);
    writer->environment = NULL;
}

/* LMDB's numbers, where they stand in its pages at any even address. */
static size_t number_at(const MDB_val *value, size_t index) {
    size_t number;
    memcpy(&number, (const char *)value->mv_data + index * sizeof number, sizeof number);
    return number;
}

/* Zeros in the pages that an entry of LMDB's list of free pages names: how many, then each. */
static int clear_listed(int descriptor, const MDB_val *entry, const uint8_t *zeros, size_t page_size) {
    const size_t count = number_at(entry, 0);
    if (count >= entry->mv_size / sizeof count) return MDB_CORRUPTED;
    for (size_t i = 1; i <= count; i++)
        if (pwrite(descriptor, zeros, page_size, (off_t)(number_at(entry, i) * page_size)) < 0) return errno;
    return 0;
}

/* Clears the pages that the next transaction may take: those that the last one found free. What a transaction
 * that was killed left in them would show in gaps between records, and a run that goes on would not make the
 * same file. */
static int clear_free_pages(const ImageStoreWriter *writer, MDB_txn *transaction) {
    const int descriptor = fileno(output_file_stream(writer->file));
    const MDB_dbi free_pages = 0;
    MDB_cursor *cursor;
    MDB_stat numbers;
    MDB_val freed_by, entry;
    int status = mdb_stat(transaction, free_pages, &numbers);
    if (!status) status = mdb_cursor_open(transaction, free_pages, &cursor);
    if (status) return status;
    uint8_t *zeros = memory_need(1, numbers.ms_psize);
    while (!status && !(status = mdb_cursor_get(cursor, &freed_by, &entry, MDB_NEXT)))
        if (number_at(&freed_by, 0) < mdb_txn_id(transaction))
            status = clear_listed(descriptor, &entry, zeros, numbers.ms_psize);
    mdb_cursor_close(cursor);
    free(zeros);
    return status == MDB_NOTFOUND ? 0 : status;
}

static bool clear_unused(const ImageStoreWriter *writer, Error *error) {
    MDB_txn *transaction;
    int status = mdb_txn_begin(writer->environment, NULL, MDB_RDONLY, &transaction);
    if (status) return refuse_lmdb(writer, status, error);
    status = clear_free_pages(writer, transaction);
    mdb_txn_abort(transaction);
    return !status || refuse_lmdb(writer, status, error);
}

/* Pages are written through the map (MDB_WRITEMAP): other pages of LMDB carry bytes of uncleared memory, and
 * the same images would not make the same file. */
static bool open_environment(ImageStoreWriter *writer, Error *error) {
    const char *path = output_file_temporary(writer->file);
    int status = mdb_env_create(&writer->environment);
    if (!status) status = mdb_env_set_mapsize(writer->environment, writer->map_size);
    if (!status)
        status = mdb_env_open(writer->environment, path,
                              MDB_NOSUBDIR | MDB_NOLOCK | MDB_WRITEMAP | writer->flags, 0666);
    if (status) return refuse_lmdb(writer, status, error);
    return reserve(writer, error) && clear_unused(writer, error);
}

static ImageStoreWriter *writer_create(OutputFile *file, uint32_t size, unsigned flags) {
    ImageStoreWriter *writer = memory_need(1, sizeof *writer);
    const size_t bytes = 3 * (size_t)size * size, fit = BATCH_BYTES / bytes;
    writer->file = file;
    writer->flags = flags;
    writer->size = size;
    writer->image_bytes = bytes;
    writer->map_size = FIRST_MAP;
    writer->hash = content_hash_create();
    writer->batch.most = fit < 1 ? 1 : fit > BATCH ? BATCH : fit;
    writer->batch.pixels = memory_need(writer->batch.most, bytes);
    return writer;
}

/* Until the end nothing is synced; a store that is not whole never appears. */
ImageStoreWriter *image_store_create(const char *path, uint32_t size, Error *error) {
    OutputFile *file = output_file_open(path, error);
    if (!file) return NULL;
    ImageStoreWriter *writer = writer_create(file, size, MDB_NOSYNC);
    if (!output_file_temporary(file))
        error_set(error, "%s: an image store must be a regular file", image_store_target(writer));
    else if (open_environment(writer, error))
        return writer;
    image_store_abandon(writer);
    return NULL;
}

static bool begin(const ImageStoreWriter *writer, unsigned flags, MDB_txn **transaction, MDB_dbi *database) {
    *transaction = NULL;
    if (mdb_txn_begin(writer->environment, NULL, flags, transaction)) return false;
    if (!mdb_dbi_open(*transaction, NULL, 0, database)) return true;
    mdb_txn_abort(*transaction);
    return false;
}

/* The value of a key, valid until the next transaction that writes. */
static bool get(const ImageStoreWriter *writer, const char *name, size_t size, MDB_val *value) {
    MDB_txn *transaction;
    MDB_dbi database;
    MDB_val key = {size, (void *)name};
    if (!begin(writer, MDB_RDONLY, &transaction, &database)) return false;
    const bool found = !mdb_get(transaction, database, &key, value);
    mdb_txn_abort(transaction);
    return found;
}

/* What image_store_save wrote last; NULL when nothing was written yet, or the whole but for its name. */
static json_t *read_progress(const ImageStoreWriter *writer) {
    MDB_val value;
    const char *key = IMAGE_STORE_PROGRESS_KEY;
    return get(writer, key, strlen(key), &value) ? json_loadb(value.mv_data, value.mv_size, 0, NULL) : NULL;
}

/* Where the last page ends that LMDB has taken. */
static off_t used_size(const ImageStoreWriter *writer) {
    MDB_envinfo info;
    MDB_stat numbers;
    mdb_env_info(writer->environment, &info);
    mdb_env_stat(writer->environment, &numbers);
    return (off_t)((info.me_last_pgno + 1) * numbers.ms_psize);
}

/* Everything is as it was behind the last transaction: the map has its size, so that it grows as it would
 * have, and there are zeros where a transaction that was killed may have written. */
static bool open_left(ImageStoreWriter *writer, off_t size, Error *error) {
    MDB_envinfo info;
    int status = mdb_env_create(&writer->environment);
    if (!status)
        status = mdb_env_open(writer->environment, output_file_temporary(writer->file),
                              MDB_NOSUBDIR | MDB_NOLOCK | MDB_WRITEMAP | writer->flags, 0666);
    if (!status) status = mdb_env_info(writer->environment, &info);
    if (status) return refuse_lmdb(writer, status, error);
    writer->map_size = info.me_mapsize;
    if (size < used_size(writer))
        return error_set(error, "%s.part: it is cut short; remove it to begin anew",
                         image_store_target(writer));
    if (ftruncate(fileno(output_file_stream(writer->file)), used_size(writer)))
        return error_set_errno(error, "cannot write %s.part", image_store_target(writer));
    writer->progress = read_progress(writer);
    return reserve(writer, error) && clear_unused(writer, error);
}

static bool start_again(ImageStoreWriter *writer, Error *error) {
    close_environment(writer);
    writer->map_size = FIRST_MAP;
    if (ftruncate(fileno(output_file_stream(writer->file)), 0))
        return error_set_errno(error, "cannot write %s.part", image_store_target(writer));
    return open_environment(writer, error);
}

static bool go_on(ImageStoreWriter *writer, Error *error) {
    struct stat status;
    if (fstat(fileno(output_file_stream(writer->file)), &status))
        return error_set_errno(error, "cannot read %s.part", image_store_target(writer));
    if (status.st_size > 0 && !open_left(writer, status.st_size, error)) return false;
    return writer->progress || start_again(writer, error);
}

/* Every batch is synced, so that what was written is there after a power failure, too. */
ImageStoreWriter *image_store_resume(const char *path, uint32_t size, Error *error) {
    OutputFile *file = output_file_open_kept(path, error);
    if (!file) return NULL;
    ImageStoreWriter *writer = writer_create(file, size, 0);
    if (go_on(writer, error)) return writer;
    image_store_abandon(writer);
    return NULL;
}

const json_t *image_store_progress(const ImageStoreWriter *writer) {
    return writer->progress;
}

bool image_store_had(const ImageStoreWriter *writer, const char *name, size_t name_size) {
    MDB_val value;
    return writer->progress && name_size <= IMAGE_STORE_MAX_NAME && get(writer, name, name_size, &value);
}

static void clear_batch(Batch *batch) {
    for (size_t i = 0; i < batch->count; i++)
        free(batch->names[i]);
    batch->count = 0;
}

static void writer_free(ImageStoreWriter *writer) {
    clear_batch(&writer->batch);
    content_hash_destroy(writer->hash);
    json_decref(writer->progress);
    json_decref(writer->latest);
    free(writer->batch.pixels);
    free(writer->order);
    free(writer);
}

void image_store_abandon(ImageStoreWriter *writer) {
    if (!writer) return;
    close_environment(writer);
    output_file_abandon(writer->file);
    writer_free(writer);
}

/* To twice the size while it is small, then by an eighth: what is reserved must be on the disk for a while.
 */
static bool grow(ImageStoreWriter *writer, Error *error) {
    const size_t size = writer->map_size, step = size / 8 > LEAST_STEP ? size / 8 : LEAST_STEP;
    writer->map_size += size < step ? size : step;
    if (!reserve(writer, error)) return false;
    const int status = mdb_env_set_mapsize(writer->environment, writer->map_size);
    return !status || refuse_lmdb(writer, status, error);
}

/* What a transaction writes besides the batch; NULL leaves as it is, an empty progress takes it away. */
typedef struct Extra {
    const char *progress, *order, *header;
    size_t order_size;
} Extra;

static int put_text(MDB_txn *transaction, MDB_dbi database, const char *name, const char *text, size_t size) {
    MDB_val key = {strlen(name), (void *)name}, value = {size, (void *)text};
    if (!text) return 0;
    return *text || strcmp(name, IMAGE_STORE_PROGRESS_KEY) ? mdb_put(transaction, database, &key, &value, 0)
                                                           : mdb_del(transaction, database, &key, NULL);
}

static int put_all(const ImageStoreWriter *writer, MDB_txn *transaction, MDB_dbi database,
                   const Extra *extra) {
    const Batch *batch = &writer->batch;
    int status = 0;
    for (size_t i = 0; i < batch->count && !status; i++) {
        MDB_val key = {batch->name_sizes[i], batch->names[i]};
        MDB_val value = {writer->image_bytes, batch->pixels + i * writer->image_bytes};
        status = mdb_put(transaction, database, &key, &value, MDB_NOOVERWRITE);
    }
    const char *progress = extra->progress;
    if (!status)
        status = put_text(transaction, database, IMAGE_STORE_PROGRESS_KEY, progress,
                          progress ? strlen(progress) : 0);
    if (status == MDB_NOTFOUND) status = 0;
    if (!status)
        status = put_text(transaction, database, IMAGE_STORE_ORDER_KEY, extra->order, extra->order_size);
    if (!status)
        status = put_text(transaction, database, IMAGE_STORE_HEADER_KEY, extra->header,
                          extra->header ? strlen(extra->header) : 0);
    return status;
}

static int try_flush(const ImageStoreWriter *writer, const Extra *extra) {
    MDB_txn *transaction = NULL;
    MDB_dbi database;
    int status = mdb_txn_begin(writer->environment, NULL, 0, &transaction);
    if (!status) status = mdb_dbi_open(transaction, NULL, 0, &database);
    if (!status) status = put_all(writer, transaction, database, extra);
    if (!status) return mdb_txn_commit(transaction);
    if (transaction) mdb_txn_abort(transaction);
    return status;
}

/* One transaction: the one that finds the map full is lost, and is done again in a larger one. Then the file
 * is opened anew: which pages LMDB takes depends on what it has done since then, and a run that goes on must
 * take the same. */
static bool flush(ImageStoreWriter *writer, const Extra *extra, Error *error) {
    int status;
    while ((status = try_flush(writer, extra)) == MDB_MAP_FULL)
        if (!grow(writer, error)) return false;
    if (status) return refuse_lmdb(writer, status, error);
    clear_batch(&writer->batch);
    close_environment(writer);
    return open_environment(writer, error);
}

static bool check_name(const ImageStoreWriter *writer, const char *name, size_t size, Error *error) {
    if (!size) return error_set(error, "%s: an item without a name", image_store_target(writer));
    if (size > IMAGE_STORE_MAX_NAME)
        return error_set(error, "%s: the name of item %.40s… has %zu bytes; an image store takes %d at most",
                         image_store_target(writer), name, size, IMAGE_STORE_MAX_NAME);
    if (memchr(name, ' ', size) || memchr(name, '\n', size))
        return error_set(error, "%s: item '%.*s': a name with a space or a newline",
                         image_store_target(writer), (int)size, name);
    return true;
}

static void add_to_order(ImageStoreWriter *writer, const char *name, size_t size) {
    writer->order = memory_grow(writer->order, &writer->order_capacity, writer->order_size + size + 1, 1);
    memcpy(writer->order + writer->order_size, name, size);
    writer->order[writer->order_size + size] = '\n';
    content_hash_update(writer->hash, writer->order + writer->order_size, size + 1);
    writer->order_size += size + 1;
    writer->count++;
}

static bool is_in(const ImageStoreWriter *writer, const char *name, size_t size) {
    const Batch *batch = &writer->batch;
    MDB_val value;
    for (size_t i = 0; i < batch->count; i++)
        if (batch->name_sizes[i] == size && !memcmp(batch->names[i], name, size)) return true;
    return get(writer, name, size, &value);
}

bool image_store_put(ImageStoreWriter *writer, const char *name, size_t name_size, const uint8_t *pixels,
                     Error *error) {
    Batch *batch = &writer->batch;
    if (!check_name(writer, name, name_size, error)) return false;
    if (is_in(writer, name, name_size))
        return error_set(error, "%s: item %.*s is in it already", image_store_target(writer), (int)name_size,
                         name);
    if (batch->count == batch->most && !flush(writer, &(Extra){0}, error)) return false;
    batch->names[batch->count] = memory_copy_text(name, name_size);
    batch->name_sizes[batch->count] = name_size;
    memcpy(batch->pixels + batch->count++ * writer->image_bytes, pixels, writer->image_bytes);
    if (writer->progress) return true; /* the order is that of image_store_commit */
    add_to_order(writer, name, name_size);
    content_hash_update(writer->hash, pixels, writer->image_bytes);
    return true;
}

/* The batch, and how far the work is with it; a run that goes on must find both or neither. */
static bool flush_batch(ImageStoreWriter *writer, Error *error) {
    char *text = writer->latest ? json_dumps(writer->latest, JSON_COMPACT | JSON_SORT_KEYS) : NULL;
    const bool fine = flush(writer, &(Extra){.progress = text}, error);
    free(text);
    return fine;
}

bool image_store_save(ImageStoreWriter *writer, json_t *progress, Error *error) {
    json_decref(writer->latest);
    writer->latest = progress;
    return writer->batch.count < writer->batch.most || flush_batch(writer, error);
}

/* The names of `order` that have an image, and the hash of these images, read from the file. */
static void set_order(ImageStoreWriter *writer, const NameTable *order) {
    writer->order_size = writer->count = 0;
    content_hash_reset(writer->hash);
    for (size_t i = 0; i < name_table_count(order); i++) {
        size_t size;
        MDB_val value;
        const char *name = name_table_name(order, i, &size);
        if (!size || size > IMAGE_STORE_MAX_NAME || !get(writer, name, size, &value)) continue;
        add_to_order(writer, name, size);
        content_hash_update(writer->hash, value.mv_data, value.mv_size);
    }
}

static char *header_text(const ImageStoreWriter *writer, json_t *header, json_t *inputs) {
    json_t *content = content_of_hash(writer->hash);
    if (inputs) json_object_set(content, "inputs", inputs);
    json_object_update_new(header, json_pack("{s:s, s:i, s:I, s:I, s:o}", "format", IMAGE_STORE_FORMAT,
                                             "version", IMAGE_STORE_VERSION, "size", (json_int_t)writer->size,
                                             "count", (json_int_t)writer->count, "content", content));
    return json_dumps(header, JSON_COMPACT | JSON_SORT_KEYS);
}

/* The file ends behind its last page; the map was larger. */
static bool cut_to_size(ImageStoreWriter *writer, Error *error) {
    const off_t size = used_size(writer);
    close_environment(writer);
    return !ftruncate(fileno(output_file_stream(writer->file)), size) ||
           error_set_errno(error, "cannot write %s", image_store_target(writer));
}

static bool finish(ImageStoreWriter *writer, const NameTable *order, json_t *header, json_t *inputs,
                   Error *error) {
    if (writer->batch.count && !flush_batch(writer, error)) return false;
    if (order) set_order(writer, order);
    char *text = header_text(writer, header, inputs);
    const Extra last = {.progress = "",
                        .order = writer->order ? writer->order : "",
                        .order_size = writer->order_size,
                        .header = text};
    const bool fine = text ? flush(writer, &last, error) && cut_to_size(writer, error)
                           : error_set(error, "%s: its header cannot be written", image_store_target(writer));
    free(text);
    return fine;
}

bool image_store_commit(ImageStoreWriter *writer, const NameTable *order, json_t *header, json_t *inputs,
                        Error *error) {
    bool fine = finish(writer, order, header, inputs, error);
    json_decref(header);
    json_decref(inputs);
    if (!fine) {
        image_store_abandon(writer);
        return false;
    }
    fine = output_file_commit(writer->file, error);
    writer_free(writer);
    return fine;
}

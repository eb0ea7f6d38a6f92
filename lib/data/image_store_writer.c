#include "core/file.h"
#include "core/memory.h"
#include "data/image_store.h"
#include "data/image_store_layout.h"
#include "stream/content_hash.h"

#include <errno.h>
#include <fcntl.h>
#include <lmdb.h>
#include <string.h>
#include <unistd.h>

enum { FIRST_MAP = 1 << 20, LEAST_STEP = 1 << 26 };

struct ImageStoreWriter {
    OutputFile *file;
    MDB_env *environment;
    size_t map_size;
    uint32_t size;
    size_t count;
    char *order; /* the names, a newline behind each */
    size_t order_size, order_capacity;
    ContentHash *hash;
};

static const char *target(const ImageStoreWriter *writer) {
    return output_file_name(writer->file);
}

static bool refuse_lmdb(const ImageStoreWriter *writer, int status, Error *error) {
    return error_set(error, "cannot write %s: %s", target(writer), mdb_strerror(status));
}

/* The blocks are reserved, so that a full disk is an error here and no fault on writing to the map. */
static bool reserve(const ImageStoreWriter *writer, Error *error) {
    errno = posix_fallocate(fileno(output_file_stream(writer->file)), 0, (off_t)writer->map_size);
    return !errno || error_set_errno(error, "cannot write %s", target(writer));
}

/* Pages are written through the map (MDB_WRITEMAP): other pages of LMDB carry bytes of uncleared memory, and
 * the same images would not make the same file. Until the end nothing is synced; a store that is not whole
 * never appears. */
static bool open_environment(ImageStoreWriter *writer, Error *error) {
    const char *path = output_file_temporary(writer->file);
    if (!path) return error_set(error, "%s: an image store must be a regular file", target(writer));
    int status = mdb_env_create(&writer->environment);
    if (!status) status = mdb_env_set_mapsize(writer->environment, writer->map_size);
    if (!status)
        status = mdb_env_open(writer->environment, path,
                              MDB_NOSUBDIR | MDB_NOLOCK | MDB_WRITEMAP | MDB_NOSYNC, 0666);
    if (status) return refuse_lmdb(writer, status, error);
    return reserve(writer, error);
}

ImageStoreWriter *image_store_create(const char *path, uint32_t size, Error *error) {
    ImageStoreWriter *writer = memory_need(1, sizeof *writer);
    writer->size = size;
    writer->map_size = FIRST_MAP;
    writer->hash = content_hash_create();
    writer->file = output_file_open(path, error);
    if (writer->file && open_environment(writer, error)) return writer;
    image_store_abandon(writer);
    return NULL;
}

static void close_environment(ImageStoreWriter *writer) {
    if (writer->environment) mdb_env_close(writer->environment);
    writer->environment = NULL;
}

static void writer_free(ImageStoreWriter *writer) {
    content_hash_destroy(writer->hash);
    free(writer->order);
    free(writer);
}

void image_store_abandon(ImageStoreWriter *writer) {
    if (!writer) return;
    close_environment(writer);
    output_file_abandon(writer->file);
    writer_free(writer);
}

static int put_once(const ImageStoreWriter *writer, MDB_val *key, MDB_val *value) {
    MDB_txn *transaction = NULL;
    MDB_dbi database;
    int status = mdb_txn_begin(writer->environment, NULL, 0, &transaction);
    if (!status) status = mdb_dbi_open(transaction, NULL, 0, &database);
    if (!status) status = mdb_put(transaction, database, key, value, MDB_NOOVERWRITE);
    if (!status) return mdb_txn_commit(transaction);
    if (transaction) mdb_txn_abort(transaction);
    return status;
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

/* One transaction a key: the one that finds the map full is lost, and is done again in a larger one. */
static bool put(ImageStoreWriter *writer, const char *name, size_t name_size, const void *bytes, size_t size,
                Error *error) {
    for (;;) {
        MDB_val key = {name_size, (void *)name}, value = {size, (void *)bytes};
        const int status = put_once(writer, &key, &value);
        if (!status) return true;
        if (status == MDB_KEYEXIST)
            return error_set(error, "%s: item %.*s is in it already", target(writer), (int)name_size, name);
        if (status != MDB_MAP_FULL) return refuse_lmdb(writer, status, error);
        if (!grow(writer, error)) return false;
    }
}

static bool check_name(const ImageStoreWriter *writer, const char *name, size_t size, Error *error) {
    if (!size) return error_set(error, "%s: an item without a name", target(writer));
    if (size > IMAGE_STORE_MAX_NAME)
        return error_set(error, "%s: the name of item %.40s… has %zu bytes; an image store takes %d at most",
                         target(writer), name, size, IMAGE_STORE_MAX_NAME);
    if (memchr(name, ' ', size) || memchr(name, '\n', size))
        return error_set(error, "%s: item '%.*s': a name with a space or a newline", target(writer),
                         (int)size, name);
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

bool image_store_put(ImageStoreWriter *writer, const char *name, size_t name_size, const uint8_t *pixels,
                     Error *error) {
    const size_t bytes = 3 * (size_t)writer->size * writer->size;
    if (!check_name(writer, name, name_size, error) || !put(writer, name, name_size, pixels, bytes, error))
        return false;
    add_to_order(writer, name, name_size);
    content_hash_update(writer->hash, pixels, bytes);
    return true;
}

static bool put_header(ImageStoreWriter *writer, json_t *header, json_t *inputs, Error *error) {
    json_t *content = content_of_hash(writer->hash);
    if (inputs) json_object_set(content, "inputs", inputs);
    json_object_update_new(header, json_pack("{s:s, s:i, s:I, s:I, s:o}", "format", IMAGE_STORE_FORMAT,
                                             "version", IMAGE_STORE_VERSION, "size", (json_int_t)writer->size,
                                             "count", (json_int_t)writer->count, "content", content));
    char *text = json_dumps(header, JSON_COMPACT | JSON_SORT_KEYS);
    const bool fine =
        text ? put(writer, IMAGE_STORE_HEADER_KEY, strlen(IMAGE_STORE_HEADER_KEY), text, strlen(text), error)
             : error_set(error, "%s: its header cannot be written", target(writer));
    free(text);
    return fine;
}

/* The file ends behind its last page; the map was larger. */
static bool cut_to_size(ImageStoreWriter *writer, Error *error) {
    MDB_envinfo info;
    MDB_stat numbers;
    mdb_env_info(writer->environment, &info);
    mdb_env_stat(writer->environment, &numbers);
    close_environment(writer);
    const off_t size = (off_t)((info.me_last_pgno + 1) * numbers.ms_psize);
    return !ftruncate(fileno(output_file_stream(writer->file)), size) ||
           error_set_errno(error, "cannot write %s", target(writer));
}

bool image_store_commit(ImageStoreWriter *writer, json_t *header, json_t *inputs, Error *error) {
    bool fine = put(writer, IMAGE_STORE_ORDER_KEY, strlen(IMAGE_STORE_ORDER_KEY),
                    writer->order ? writer->order : "", writer->order_size, error) &&
                put_header(writer, header, inputs, error) && cut_to_size(writer, error);
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

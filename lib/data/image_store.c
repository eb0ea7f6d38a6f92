#include "data/image_store.h"

#include "core/memory.h"
#include "data/image_resize.h"
#include "data/image_store_layout.h"
#include "data/lmdb_check.h"
#include "data/lmdb_reader.h"
#include "stream/content_hash.h"
#include "stream/header.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct ImageStore {
    char *path;
    LmdbReader reader;
    json_t *header;
    uint32_t size;
    size_t count, read; /* images; those given by image_store_next */
    MDB_val order;      /* the names in order, a newline behind each */
    size_t position;    /* of the next name */
    ContentHash *hash;  /* of what was read */
    bool partial;       /* not from the first one on */
};

static size_t image_bytes(const ImageStore *store) {
    return 3 * (size_t)store->size * store->size;
}

bool image_store_is_one(const char *path) {
    unsigned char bytes[24];
    struct stat status;
    if (stat(path, &status) || !S_ISREG(status.st_mode))
        return false; /* opening a FIFO would wake its writer */
    const int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (file < 0) return false;
    const ssize_t size = pread(file, bytes, sizeof bytes, 0);
    close(file);
    return size == (ssize_t)sizeof bytes && lmdb_is_one(bytes, sizeof bytes);
}

static bool get(const ImageStore *store, const char *key, size_t key_size, MDB_val *value) {
    return lmdb_reader_get(&store->reader, key, key_size, value);
}

static bool read_header(ImageStore *store, Error *error) {
    MDB_val value;
    int64_t version, size, count;
    if (!get(store, IMAGE_STORE_HEADER_KEY, strlen(IMAGE_STORE_HEADER_KEY), &value))
        return error_set(error, "an LMDB file, but no image store; pm-imgpack makes one");
    store->header = json_loadb(value.mv_data, value.mv_size, JSON_REJECT_DUPLICATES, NULL);
    const json_t *content = json_object_get(store->header, "content");
    const char *format = json_string_value(json_object_get(store->header, "format"));
    if (!format || strcmp(format, IMAGE_STORE_FORMAT)) return error_set(error, "its header is damaged");
    if (!header_integer(store->header, "version", 1, INT64_MAX, &version, error)) return false;
    if (version != IMAGE_STORE_VERSION)
        return error_set(error, "an image store of version %lld; this program reads version %d",
                         (long long)version, IMAGE_STORE_VERSION);
    if (!header_integer(store->header, "size", 1, IMAGE_MAX_SIZE, &size, error) ||
        !header_integer(store->header, "count", 0, INT64_MAX, &count, error))
        return false;
    if (!json_is_string(json_object_get(content, "hash")))
        return error_set(error, "its header has no hash of the images");
    store->size = (uint32_t)size;
    store->count = (size_t)count;
    return true;
}

static bool read_order(ImageStore *store, Error *error) {
    if (!get(store, IMAGE_STORE_ORDER_KEY, strlen(IMAGE_STORE_ORDER_KEY), &store->order))
        return error_set(error, "the order of its items is missing");
    const char *names = store->order.mv_data, *end = names + store->order.mv_size;
    size_t count = 0;
    for (const char *at = names; at < end && (at = memchr(at, '\n', (size_t)(end - at))); at++)
        count++;
    if (lmdb_reader_count(&store->reader) != store->count + 2 || count != store->count ||
        (names < end && end[-1] != '\n'))
        return error_set(error, "damaged: its header speaks of %zu images, the order of its items of %zu",
                         store->count, count);
    return true;
}

ImageStore *image_store_open(const char *path, Error *error) {
    ImageStore *store = memory_need(1, sizeof *store);
    store->path = memory_copy_text(path, strlen(path));
    store->hash = content_hash_create();
    if (lmdb_reader_open(&store->reader, path, error)) {
        if (read_header(store, error) && read_order(store, error)) return store;
        error_prefix(error, "%s: ", path);
    }
    image_store_close(store);
    return NULL;
}

void image_store_close(ImageStore *store) {
    if (!store) return;
    lmdb_reader_close(&store->reader);
    content_hash_destroy(store->hash);
    json_decref(store->header);
    free(store->path);
    free(store);
}

const char *image_store_name(const ImageStore *store) {
    return store->path;
}

size_t image_store_count(const ImageStore *store) {
    return store->count;
}

uint32_t image_store_size(const ImageStore *store) {
    return store->size;
}

const json_t *image_store_header(const ImageStore *store) {
    return store->header;
}

json_t *image_store_content(const ImageStore *store) {
    return json_deep_copy(json_object_get(store->header, "content"));
}

const char *image_store_names(const ImageStore *store, size_t *size) {
    *size = store->order.mv_size;
    return store->order.mv_data;
}

static bool find_value(const ImageStore *store, const char *name, size_t name_size, MDB_val *value) {
    return name_size && name_size <= IMAGE_STORE_MAX_NAME && name[0] != ' ' &&
           get(store, name, name_size, value);
}

bool image_store_has(const ImageStore *store, const char *name, size_t name_size) {
    MDB_val value;
    return find_value(store, name, name_size, &value);
}

const uint8_t *image_store_find(const ImageStore *store, const char *name, size_t name_size, Error *error) {
    MDB_val value;
    const int shown = name_size > IMAGE_STORE_MAX_NAME ? IMAGE_STORE_MAX_NAME : (int)name_size;
    if (!find_value(store, name, name_size, &value)) {
        error_set(error, "%s: no image of item %.*s", store->path, shown, name);
        return NULL;
    }
    if (value.mv_size == image_bytes(store)) return value.mv_data;
    error_set(error, "%s: damaged: the image of item %.*s has %zu bytes instead of %zu", store->path, shown,
              name, value.mv_size, image_bytes(store));
    return NULL;
}

static bool check_hash(const ImageStore *store, Error *error) {
    char text[CONTENT_HASH_TEXT];
    content_hash_text(store->hash, text);
    const json_t *content = json_object_get(store->header, "content");
    if (!strcmp(text, json_string_value(json_object_get(content, "hash")))) return true;
    return error_set(error, "%s: damaged: its images are not those that were packed (the hash differs)",
                     store->path);
}

int image_store_next(ImageStore *store, StoredImage *image, Error *error) {
    if (store->read == store->count) return store->partial || check_hash(store, error) ? 0 : -1;
    const char *name = (const char *)store->order.mv_data + store->position;
    const char *end = memchr(name, '\n', store->order.mv_size - store->position);
    const size_t size = (size_t)(end - name);
    const uint8_t *pixels = image_store_find(store, name, size, error);
    if (!pixels) return -1;
    *image = (StoredImage){name, size, pixels};
    content_hash_update(store->hash, name, size + 1);
    content_hash_update(store->hash, pixels, image_bytes(store));
    store->position += size + 1;
    store->read++;
    return 1;
}

void image_store_skip(ImageStore *store, size_t count) {
    const char *names = store->order.mv_data;
    image_store_rewind(store);
    for (; store->read < count && store->read < store->count; store->read++) {
        const char *name = names + store->position;
        store->position +=
            (size_t)((const char *)memchr(name, '\n', store->order.mv_size - store->position) - name) + 1;
    }
    store->partial = store->read > 0;
}

void image_store_rewind(ImageStore *store) {
    store->position = store->read = 0;
    store->partial = false;
    content_hash_reset(store->hash);
}

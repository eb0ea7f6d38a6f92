#include "data/feature_cache.h"

#include "core/cleanup.h"
#include "core/log.h"
#include "core/memory.h"
#include "data/feature_cache_private.h"
#include "stream/hidden_states.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

char *feature_cache_path(const char *folder, const char *stream) {
    char *whole = realpath(stream, NULL);
    const char *path = whole ? whole : stream, *slash = strrchr(path, '/');
    char *found = memory_format("%s/%.200s-%016" PRIx64 ".cache", folder, slash ? slash + 1 : path,
                                index_hash(path, strlen(path)));
    free(whole);
    return found;
}

/* Do the parts add up to the file? Sizes are compared before they are added. */
static bool check_head(const CacheHead *head, uint64_t size) {
    return !memcmp(head->word, CACHE_WORD, sizeof head->word) && head->version == CACHE_VERSION &&
           head->check == cache_head_check(head) && head->items < UINT32_MAX && head->rows_size <= size &&
           head->tables_at == cache_tables_at(head->rows_size) && head->tables_size <= size &&
           head->tables_at + head->tables_size == size &&
           head->tables_size >= (2 * head->items + 1) * sizeof(uint64_t);
}

/* Is it of the store's stream? */
static bool check_stream(const CacheHead *head, FeatureStore *store) {
    const char *content = json_string_value(json_object_get(store->content, "hash"));
    if (strncmp(head->content, content, sizeof head->content) || head->width != store->width ||
        !dtype_from_name(head->dtype, strnlen(head->dtype, sizeof head->dtype), &store->dtype))
        return false;
    store->row_bytes = hidden_states_bytes(store->dtype, 1, store->width);
    return true;
}

static bool take_first_rows(FeatureStore *store, const CacheHead *head, const unsigned char *tables) {
    const size_t count = head->items + 1;
    store->first_rows = memory_need(count, sizeof *store->first_rows);
    memcpy(store->first_rows, tables, count * sizeof *store->first_rows);
    for (size_t i = 0; i + 1 < count; i++)
        if (store->first_rows[i] > store->first_rows[i + 1]) return false;
    const size_t rows = store->first_rows[head->items];
    return !store->first_rows[0] && rows <= head->rows_size / store->row_bytes &&
           rows * store->row_bytes == head->rows_size;
}

static bool take_names(FeatureStore *store, const CacheHead *head, const unsigned char *tables) {
    const unsigned char *at = tables + (2 * head->items + 1) * sizeof(uint64_t);
    const unsigned char *end = tables + head->tables_size;
    for (size_t i = 0; i < head->items; i++) {
        uint32_t size;
        size_t item;
        if ((size_t)(end - at) < sizeof size) return false;
        memcpy(&size, at, sizeof size);
        at += sizeof size;
        if ((size_t)(end - at) < size) return false;
        if (!item_numbers_add(&store->items, (const char *)at, size, &item)) return false;
        at += size;
    }
    return at == end;
}

static bool map_cache(FeatureStore *store, int file, Error *error) {
    CacheHead head;
    struct stat status;
    FeatureCache *cache = store->cache;
    if (fstat(file, &status) || pread(file, &head, sizeof head, 0) != (ssize_t)sizeof head ||
        !check_head(&head, (uint64_t)status.st_size))
        return error_set(error, "it is damaged");
    if (!check_stream(&head, store)) return error_set(error, "it is of another content");
    if (!growing_memory_map(&cache->tables, file, head.tables_at, head.tables_size) ||
        !growing_memory_map(&store->rows, file, CACHE_ROWS_AT, head.rows_size))
        return error_set_errno(error, "it cannot be mapped");
    const unsigned char *tables = cache->tables.bytes;
    if (index_hash(tables, head.tables_size) != head.tables_check || !take_first_rows(store, &head, tables) ||
        !take_names(store, &head, tables))
        return error_set(error, "it is damaged");
    cache->hashes = (uint64_t *)tables + head.items + 1;
    cache->checked = memory_need(head.items, 1);
    return true;
}

/* What a cache that was no good has left. */
static void forget(FeatureStore *store) {
    feature_cache_close(store->cache);
    store->cache = NULL;
    growing_memory_free(&store->rows);
    free(store->first_rows);
    store->first_rows = NULL;
    store->first_capacity = 0;
    item_numbers_forget(&store->items);
}

bool feature_cache_find(FeatureStore *store, const char *path) {
    Error error;
    const int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) return false;
    store->cache = memory_need(1, sizeof *store->cache);
    store->cache->path = memory_copy_text(path, strlen(path));
    const bool fine = map_cache(store, file, &error);
    close(file);
    if (fine) return true;
    log_detail("%s: %s; it is made again", path, error.message);
    forget(store);
    return false;
}

void feature_cache_check(FeatureCache *cache, size_t item, const void *rows, size_t size) {
    if (!cache->checked || __atomic_load_n(&cache->checked[item], __ATOMIC_RELAXED)) return;
    if (index_hash(rows, size) != cache->hashes[item]) {
        unlink(cache->path);
        log_error(
            "%s: the rows of item %zu were altered since they were written; the file is removed, and "
            "made again when this command is",
            cache->path, item + 1);
        cleanup_and_fail();
    }
    __atomic_store_n(&cache->checked[item], 1, __ATOMIC_RELAXED);
}

void feature_cache_close(FeatureCache *cache) {
    if (!cache) return;
    output_file_abandon(cache->file);
    if (cache->item) {
        XXH3_freeState(cache->item);
        free(cache->hashes);
    }
    growing_memory_free(&cache->tables);
    free(cache->checked);
    free(cache->path);
    free(cache);
}

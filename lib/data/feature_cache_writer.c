#include "core/memory.h"
#include "data/feature_cache.h"
#include "data/feature_cache_private.h"

#include <string.h>

static bool cannot_write(const FeatureCache *cache, Error *error) {
    return error_set_errno(error, "cannot write %s", output_file_name(cache->file));
}

bool feature_cache_begin(FeatureStore *store, const char *path, Error *error) {
    OutputFile *file = output_file_open(path, error);
    if (file && fseeko(output_file_stream(file), CACHE_ROWS_AT, SEEK_SET)) {
        error_set_errno(error, "cannot write %s", path);
        output_file_abandon(file);
        return false;
    }
    if (!file) return false;
    FeatureCache *cache = store->cache = memory_need(1, sizeof *cache);
    cache->path = memory_copy_text(path, strlen(path));
    cache->file = file;
    cache->item = XXH3_createState();
    if (!cache->item) memory_end(0, 0);
    XXH3_64bits_reset(cache->item);
    store->rows = growing_memory_start_in(output_file_stream(file), cache->path, CACHE_ROWS_AT);
    return true;
}

void feature_cache_take(FeatureCache *cache, const void *rows, size_t size) {
    if (size) XXH3_64bits_update(cache->item, rows, size);
}

void feature_cache_end_item(FeatureCache *cache) {
    cache->hashes = memory_grow(cache->hashes, &cache->capacity, cache->count + 1, sizeof *cache->hashes);
    cache->hashes[cache->count++] = XXH3_64bits_digest(cache->item);
    XXH3_64bits_reset(cache->item);
}

/* The tables on their way into the file. */
typedef struct Tables {
    FILE *file;
    XXH3_state_t *hash;
    uint64_t size;
} Tables;

static void write_table(Tables *tables, const void *bytes, size_t size) {
    XXH3_64bits_update(tables->hash, bytes, size);
    tables->size += size;
    fwrite(bytes, 1, size, tables->file); /* ferror tells later */
}

static void write_tables(const FeatureStore *store, Tables *tables) {
    const size_t items = feature_store_items(store);
    uint32_t *names = item_numbers_names(&store->items);
    write_table(tables, store->first_rows, (items + 1) * sizeof *store->first_rows);
    write_table(tables, store->cache->hashes, items * sizeof *store->cache->hashes);
    for (size_t i = 0; i < items; i++) {
        size_t size;
        const char *name = name_table_name(store->items.names, names[i], &size);
        const uint32_t length = (uint32_t)size;
        write_table(tables, &length, sizeof length);
        write_table(tables, name, size);
    }
    free(names);
}

static CacheHead head_of(const FeatureStore *store, const Tables *tables) {
    CacheHead head = {.word = CACHE_WORD,
                      .version = CACHE_VERSION,
                      .width = store->width,
                      .items = feature_store_items(store),
                      .rows_size = store->rows.size,
                      .tables_at = cache_tables_at(store->rows.size),
                      .tables_size = tables->size,
                      .tables_check = XXH3_64bits_digest(tables->hash)};
    snprintf(head.content, sizeof head.content, "%s",
             json_string_value(json_object_get(store->content, "hash")));
    snprintf(head.dtype, sizeof head.dtype, "%s", dtype_name(store->dtype));
    head.check = cache_head_check(&head);
    return head;
}

/* The head is written last, where a hole was until then. */
static bool write_rest(const FeatureStore *store, Error *error) {
    FILE *file = output_file_stream(store->cache->file);
    Tables tables = {file, store->cache->item, 0};
    XXH3_64bits_reset(tables.hash);
    bool fine = !fseeko(file, (off_t)cache_tables_at(store->rows.size), SEEK_SET);
    if (fine) write_tables(store, &tables);
    const CacheHead head = head_of(store, &tables);
    fine = fine && !fseeko(file, 0, SEEK_SET) && fwrite(&head, sizeof head, 1, file) == 1 && !ferror(file);
    return fine || cannot_write(store->cache, error);
}

bool feature_cache_finish(FeatureStore *store, Error *error) {
    FeatureCache *cache = store->cache;
    if (!write_rest(store, error)) return false;
    OutputFile *file = cache->file;
    cache->file = NULL;
    return output_file_commit(file, error);
}

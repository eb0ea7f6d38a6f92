#include "data/feature_store.h"

#include "core/file.h"
#include "core/log.h"
#include "core/memory.h"
#include "core/progress.h"
#include "data/feature_cache.h"
#include "data/image_resize.h"
#include "stream/hidden_states.h"
#include "stream/reader.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAX_WIDTH = 1 << 24 };

/* Every record is an item, so item i is record i + 1. */

static bool read_blocks(FeatureStore *store, Error *error) {
    const char *word = json_string_value(json_object_get(store->header, "blocks"));
    if (!word) return header_integer(store->header, "blocks", 0, 100000, &store->blocks, error);
    store->blocks = FEATURE_BLOCKS_LAST;
    return !strcmp(word, "last") ||
           error_set(error, "the header's 'blocks' is \"%.32s\"; it must be a number or \"last\"", word);
}

static bool read_modality(FeatureStore *store, Error *error) {
    const char *modality = header_text(store->header, "modality", error);
    if (!modality) return false;
    store->modality = modality;
    return !strcmp(modality, "text") || !strcmp(modality, "image") ||
           error_set(error, "the header's 'modality' is \"%.32s\"; it must be \"text\" or \"image\"",
                     modality);
}

static bool read_width(FeatureStore *store, const char *key, int64_t maximum, size_t *width, Error *error) {
    int64_t value;
    if (!header_integer(store->header, key, 1, maximum, &value, error)) return false;
    *width = (size_t)value;
    return true;
}

static bool read_tokens_header(FeatureStore *store, Error *error) {
    (void)error;
    store->kind = FEATURE_TOKENS;
    store->dtype = DTYPE_I32;
    store->width = 1;
    store->blocks = FEATURE_BLOCKS_NONE;
    store->modality = "text";
    return true;
}

static bool read_hidden_header(FeatureStore *store, Error *error) {
    store->kind = FEATURE_HIDDEN;
    return read_width(store, "width", MAX_WIDTH, &store->width, error) && read_blocks(store, error) &&
           read_modality(store, error);
}

static void set_pixels(FeatureStore *store, size_t size) {
    store->kind = FEATURE_PIXELS;
    store->blocks = FEATURE_BLOCKS_NONE;
    store->modality = "image";
    store->pixel_size = size;
    store->recipe = image_recipe_standard;
    store->width = 3 * size * size;
}

static bool read_pixels_header(FeatureStore *store, Error *error) {
    size_t size;
    if (!read_width(store, "size", IMAGE_MAX_SIZE, &size, error)) return false;
    set_pixels(store, size);
    return true;
}

static bool read_vectors_header(FeatureStore *store, Error *error) {
    store->kind = FEATURE_VECTORS;
    store->blocks = FEATURE_BLOCKS_LAST;
    return read_width(store, "dim", MAX_WIDTH, &store->width, error);
}

/* The tensor of a record, once its dtype and dimensions are right. */
static const RecordTensor *need_pixels(const Record *record, Error *error) {
    const RecordTensor *tensor = record_find(record, "pixels");
    return tensor && tensor->dtype == DTYPE_U8 ? record_need(record, "pixels", DTYPE_U8, 3, error)
                                               : record_need(record, "pixels", DTYPE_F32, 3, error);
}

static const RecordTensor *need_tensor(const FeatureStore *store, const Record *record, Error *error) {
    HiddenStates hidden;
    switch (store->kind) {
    case FEATURE_TOKENS:
        return record_need(record, "ids", DTYPE_I32, 1, error);
    case FEATURE_HIDDEN:
        return hidden_states_of(record, &hidden, error) ? record_find(record, "hidden") : NULL;
    case FEATURE_PIXELS:
        return need_pixels(record, error);
    default:
        return record_need_float(record, "vector", 1, error);
    }
}

/* As the header says? */
static bool is_shape_right(const FeatureStore *store, const RecordTensor *tensor) {
    const uint64_t *shape = tensor->shape, size = store->pixel_size;
    switch (store->kind) {
    case FEATURE_TOKENS:
        return true;
    case FEATURE_HIDDEN:
        return shape[1] == store->width;
    case FEATURE_PIXELS:
        return tensor->dtype == DTYPE_U8 ? shape[0] == size && shape[1] == size && shape[2] == 3
                                         : shape[0] == 3 && shape[1] == size && shape[2] == size;
    default:
        return shape[0] == store->width;
    }
}

static size_t tensor_rows(const FeatureStore *store, const RecordTensor *tensor) {
    return store->kind == FEATURE_TOKENS || store->kind == FEATURE_HIDDEN ? (size_t)tensor->shape[0] : 1;
}

static bool refuse(const Record *record, const char *problem, Error *error) {
    char where[RECORD_WHERE_TEXT];
    record_where(record, where);
    return error_set(error, "%s: %s", where, problem);
}

static bool check_shape(const FeatureStore *store, const Record *record, const RecordTensor *tensor,
                        Error *error) {
    static const char *const keys[] = {"", "width", "size", "dim"};
    char text[RECORD_TENSOR_TEXT], problem[2 * RECORD_TENSOR_TEXT];
    if (is_shape_right(store, tensor)) return true;
    record_tensor_describe(tensor, text);
    snprintf(problem, sizeof problem, "tensor '%s' is %s, but the header says %s %zu", tensor->name, text,
             keys[store->kind], store->kind == FEATURE_PIXELS ? store->pixel_size : store->width);
    return refuse(record, problem, error);
}

static bool check_dtype(FeatureStore *store, const Record *record, const RecordTensor *tensor, Error *error) {
    if (record->number == 1) {
        store->dtype = tensor->dtype;
        store->row_bytes = hidden_states_bytes(tensor->dtype, 1, store->width);
    }
    if (tensor->dtype == store->dtype) return true;
    char problem[2 * RECORD_TENSOR_TEXT];
    snprintf(problem, sizeof problem, "tensor '%s' is %s, but %s in record 1; a stream has one dtype",
             tensor->name, dtype_name(tensor->dtype), dtype_name(store->dtype));
    return refuse(record, problem, error);
}

static bool check_ids(FeatureStore *store, const Record *record, const RecordTensor *tensor, Error *error) {
    const json_t *size = json_object_get(store->header, "vocabulary_size");
    const int64_t end = json_is_integer(size) ? json_integer_value(size) : INT64_MAX;
    const unsigned char *bytes = tensor->data;
    for (size_t i = 0; i < tensor->shape[0]; i++) {
        int32_t id;
        memcpy(&id, bytes + 4 * i, 4);
        if (id < 0 || id >= end) {
            char problem[128];
            snprintf(problem, sizeof problem, "token %zu has the id %" PRId32 "; ids go from 0 to %" PRId64,
                     i + 1, id, end <= INT32_MAX ? end - 1 : INT32_MAX);
            return refuse(record, problem, error);
        }
        if ((uint32_t)id > store->largest_id) store->largest_id = (uint32_t)id;
    }
    return true;
}

static bool check_values(FeatureStore *store, const Record *record, const RecordTensor *tensor,
                         Error *error) {
    if (store->kind == FEATURE_TOKENS) return check_ids(store, record, tensor, error);
    if (store->kind == FEATURE_HIDDEN || !dtype_is_float(tensor->dtype))
        return true; /* hidden_states_of looked */
    const size_t count = record_tensor_elements(tensor);
    char problem[RECORD_MAX_NAME + 64];
    snprintf(problem, sizeof problem, "tensor '%s' has values that are infinite or no number", tensor->name);
    return dtype_find_not_finite(tensor->dtype, tensor->data, count) == count ||
           refuse(record, problem, error);
}

/* False when it stands in the file already, as item *number. */
static bool add_item(FeatureStore *store, const char *name, size_t name_size, size_t rows, size_t *number) {
    if (!item_numbers_add(&store->items, name, name_size, number)) return false;
    const size_t items = feature_store_items(store);
    store->first_rows =
        memory_grow(store->first_rows, &store->first_capacity, items + 1, sizeof *store->first_rows);
    if (items == 1) store->first_rows[0] = 0;
    store->first_rows[items] = store->first_rows[items - 1] + rows;
    return true;
}

static bool refuse_duplicate(const Record *record, size_t number, Error *error) {
    char problem[96];
    snprintf(problem, sizeof problem, "record %zu is the same item; an item may come once", number + 1);
    return refuse(record, problem, error);
}

static bool keep_bytes(FeatureStore *store, const RecordTensor *tensor, Error *error) {
    const size_t size = record_tensor_bytes(tensor);
    if (store->cache) feature_cache_take(store->cache, tensor->data, size);
    return growing_memory_append(&store->rows, tensor->data, size, error);
}

/* The scales of i8, then the values, as hidden_states_at finds them. */
static bool keep_rows(FeatureStore *store, const Record *record, const RecordTensor *tensor, Error *error) {
    const RecordTensor *scales = tensor->dtype == DTYPE_I8 ? record_find(record, "scale") : NULL;
    const bool fine = (!scales || keep_bytes(store, scales, error)) && keep_bytes(store, tensor, error);
    if (store->cache) feature_cache_end_item(store->cache);
    return fine;
}

static bool add_record(FeatureStore *store, const Record *record, Error *error) {
    size_t number;
    const RecordTensor *tensor = need_tensor(store, record, error);
    if (!tensor || !check_shape(store, record, tensor, error) || !check_dtype(store, record, tensor, error) ||
        !check_values(store, record, tensor, error))
        return false;
    if (!add_item(store, record->key, record->key_size, tensor_rows(store, tensor), &number))
        return refuse_duplicate(record, number, error);
    return keep_rows(store, record, tensor, error) || error_prefix(error, "%s: ", store->name);
}

static bool read_header(FeatureStore *store, Error *error) {
    static const struct {
        const char *kind;
        bool (*read)(FeatureStore *store, Error *error);
    } kinds[] = {{"tokens", read_tokens_header},
                 {"hidden", read_hidden_header},
                 {"pixels", read_pixels_header},
                 {"items", read_vectors_header}};
    const char *kind = json_string_value(json_object_get(store->header, "kind"));
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (!strcmp(kind, kinds[i].kind))
            return kinds[i].read(store, error) || error_prefix(error, "%s: ", store->name);
    return error_set(error, "%s: a stream of kind '%.64s' holds no items", store->name, kind);
}

static bool read_records(FeatureStore *store, StreamReader *reader, Error *error) {
    Record record;
    Progress progress;
    StreamStatus status;
    bool fine = true;
    progress_start(&progress, "items", 0);
    while (fine && (status = stream_reader_next(reader, &record, error)) != STREAM_END) {
        fine = status == STREAM_RECORD && add_record(store, &record, error);
        progress_update(&progress, stream_reader_count(reader));
    }
    progress_finish(&progress);
    return fine && (growing_memory_finish(&store->rows, error) || error_prefix(error, "%s: ", store->name));
}

static bool check_item_count(const FeatureStore *store, Error *error) {
    const size_t items = feature_store_items(store);
    if (!items) return error_set(error, "%s: not a single item", store->name);
    return items < UINT32_MAX ||
           error_set(error, "%s: %zu items are more than can be numbered", store->name, items);
}

/* Of several runs that need a cache of the same stream one makes it, and the others wait. Without locks, as
 * on some networks, each makes it. */
static int lock_stream(const FeatureStore *store, const char *path) {
    const int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0 || !flock(file, LOCK_EX | LOCK_NB) || errno != EWOULDBLOCK) return file;
    log_report("%s: another program writes it to the cache; this one waits", store->name);
    flock(file, LOCK_EX);
    return file;
}

static bool make_cache(FeatureStore *store, StreamReader *reader, const char *path, Error *error) {
    Error reason;
    if (!feature_cache_begin(store, path, &reason)) {
        log_report("%s; %s is read without a cache", reason.message, store->name);
        return read_records(store, reader, error);
    }
    if (!read_records(store, reader, error) || !check_item_count(store, error) ||
        !feature_cache_finish(store, error))
        return false;
    log_report("%s: %.3g GiB of rows are kept in %s", store->name, (double)store->rows.size / (1 << 30),
               path);
    return true;
}

static bool find_or_make_cache(FeatureStore *store, StreamReader *reader, const char *stream,
                               const char *folder, Error *error) {
    mkdir(folder, 0777); /* it may be there */
    char *path = feature_cache_path(folder, stream);
    bool found = feature_cache_find(store, path);
    const int lock = found ? -1 : lock_stream(store, stream);
    found = found || feature_cache_find(store, path); /* another program made it meanwhile */
    const bool fine = found || make_cache(store, reader, path, error);
    if (found) log_detail("%s: the rows are those in %s; the stream is not read", store->name, path);
    if (lock >= 0) close(lock);
    free(path);
    return fine;
}

/* An index says of what content the stream is before it is read. */
static bool read_by_cache(FeatureStore *store, StreamReader *reader, const char *path, const char *folder,
                          Error *error) {
    const StreamIndex *index = stream_reader_index(reader);
    if (!index || !strcmp(path, "-")) {
        log_report("%s: only a file with an index has a cache (pm-cat --index adds one)", store->name);
        return read_records(store, reader, error);
    }
    store->content = stream_index_content(index, error);
    return store->content ? find_or_make_cache(store, reader, path, folder, error)
                          : error_prefix(error, "%s: ", store->name);
}

static bool read_stream(FeatureStore *store, const char *path, const char *cache, Error *error) {
    StreamReader *reader = stream_reader_open_kind(path, "tokens|hidden|pixels|items", error);
    if (!reader) return false;
    store->header = json_incref((json_t *)stream_reader_header(reader));
    bool fine = read_header(store, error);
    if (fine && cache && store->kind != FEATURE_TOKENS)
        fine = read_by_cache(store, reader, path, cache, error);
    else if (fine)
        fine = read_records(store, reader, error);
    if (fine && !store->content) store->content = stream_reader_content(reader);
    stream_reader_close(reader);
    return fine;
}

static bool add_image(FeatureStore *store, const StoredImage *image, Error *error) {
    size_t number;
    if (!add_item(store, image->name, image->name_size, 1, &number))
        return error_set(error, "%s: images %zu and %zu are of the same item %s; pack the images again",
                         store->name, number + 1, feature_store_items(store) + 1,
                         item_numbers_name(&store->items, number));
    store->mapped = memory_grow(store->mapped, &store->mapped_capacity, number + 1, sizeof *store->mapped);
    store->mapped[number] = image->pixels;
    return true;
}

static bool read_images(FeatureStore *store, const char *path, Error *error) {
    store->images = image_stores_open_list(path, error);
    if (!store->images) return false;
    set_pixels(store, image_stores_size(store->images));
    store->dtype = DTYPE_U8;
    store->row_bytes = store->width;
    store->header = json_incref((json_t *)image_stores_header(store->images));
    store->content = image_stores_content(store->images);
    StoredImage image;
    Progress progress;
    int status;
    bool fine = true;
    progress_start(&progress, "items", image_stores_count(store->images));
    while (fine && (status = image_stores_next(store->images, &image, error)) != 0) {
        fine = status > 0 && add_image(store, &image, error);
        progress_update(&progress, feature_store_items(store));
    }
    progress_finish(&progress);
    return fine;
}

bool feature_store_read(FeatureStore *store, const char *path, size_t memory_limit, Error *error) {
    return feature_store_read_shared(store, path, memory_limit, NULL, NULL, error);
}

bool feature_store_read_shared(FeatureStore *store, const char *path, size_t memory_limit, NameTable *names,
                               const char *cache, Error *error) {
    const char *name = file_display_name(path);
    *store = (FeatureStore){.name = memory_copy_text(name, strlen(name)),
                            .items = item_numbers_start(names),
                            .rows = growing_memory_start(memory_limit)};
    const bool is_image_store = path && image_stores_are_listed(path);
    if ((is_image_store ? read_images(store, path, error) : read_stream(store, path, cache, error)) &&
        check_item_count(store, error))
        return true;
    feature_store_free(store);
    return false;
}

void feature_store_free(FeatureStore *store) {
    free(store->name);
    json_decref(store->header);
    json_decref(store->content);
    item_numbers_free(&store->items);
    free(store->first_rows);
    free(store->mapped);
    image_stores_close(store->images);
    growing_memory_free(&store->rows);
    feature_cache_close(store->cache);
    *store = (FeatureStore){0};
}

size_t feature_store_items(const FeatureStore *store) {
    return store->items.count;
}

size_t feature_store_rows(const FeatureStore *store, size_t item) {
    return store->first_rows[item + 1] - store->first_rows[item];
}

#include "model/encode_source.h"

#include "data/image_resize.h"

#include <string.h>

static bool open_stream(EncodeSource *source, const char *path, const Shard *shard, Error *error) {
    const bool text = source->modality == MODALITY_TEXT;
    source->shard = shard;
    source->reader = stream_reader_open_kind(path, text ? "tokens|hidden" : "pixels|hidden", error);
    if (!source->reader || !stream_reader_take_shard(source->reader, shard, error)) return false;
    const json_t *header = source->header = stream_reader_header(source->reader);
    source->start = ENCODER_FROM_INPUT;
    if (strcmp(json_string_value(json_object_get(header, "kind")), "hidden")) return true;
    const char *modality = json_string_value(json_object_get(header, "modality"));
    if (!modality || strcmp(modality, modality_name(source->modality)))
        return error_set(error, "%s: holds hidden states of %s, not of %s",
                         stream_reader_name(source->reader), modality ? modality : "an unnamed modality",
                         modality_name(source->modality));
    source->start = ENCODE_FROM_LAST;
    if (json_is_string(json_object_get(header, "blocks"))) return true; /* "last" */
    return header_integer(header, "blocks", 0, 10000, &source->start, error) ||
           error_prefix(error, "%s: ", stream_reader_name(source->reader));
}

static bool open_images(EncodeSource *source, char *const *paths, size_t count, const Shard *shard,
                        Error *error) {
    uint64_t first;
    source->images = image_stores_open(paths, count, error);
    if (!source->images) return false;
    source->header = image_stores_header(source->images);
    source->start = ENCODER_FROM_INPUT;
    source->left = image_stores_count(source->images);
    source->share = shard->count > 0;
    shard_range(shard, source->left, &first, &source->left);
    source->first = first - 1;
    if (source->first) image_stores_skip(source->images, source->first);
    return true;
}

bool encode_source_open(EncodeSource *source, Modality modality, char *const *paths, size_t count,
                        const Shard *shard, Error *error) {
    source->modality = modality;
    if (modality == MODALITY_IMAGE && count && image_store_is_one(paths[0]))
        return open_images(source, paths, count, shard, error);
    if (count > 1) return error_set(error, "%s: only image stores go together; cat joins streams", paths[0]);
    return open_stream(source, count ? paths[0] : NULL, shard, error);
}

void encode_source_close(EncodeSource *source) {
    stream_reader_close(source->reader);
    image_stores_close(source->images);
}

uint64_t encode_source_count(const EncodeSource *source) {
    return source->images ? source->left : 0;
}

json_t *encode_source_content(const EncodeSource *source) {
    return source->images ? image_stores_content(source->images) : stream_reader_content(source->reader);
}

json_t *encode_source_known(const EncodeSource *source) {
    Error ignored;
    if (source->images) return image_stores_content(source->images);
    const StreamIndex *index = stream_reader_index(source->reader);
    return index ? stream_index_content(index, &ignored) : NULL;
}

bool encode_source_skip(EncodeSource *source, uint64_t count, Error *error) {
    uint64_t first, records = source->left;
    if (source->reader)
        shard_range(source->shard, stream_reader_index(source->reader)->records, &first, &records);
    if (count > records)
        return error_set(error, "%s: fewer items are in it than were encoded before",
                         source->images ? image_stores_name(source->images)
                                        : stream_reader_name(source->reader));
    if (source->images) {
        source->share = true;
        source->left -= count;
        image_stores_skip(source->images, source->first + count);
        return true;
    }
    return stream_reader_seek(source->reader, first + count, records - count, error);
}

void encode_source_hash(const EncodeSource *source, ContentHash *hash) {
    const Record *record = &source->record;
    content_hash_update(hash, &record->key_size, sizeof record->key_size);
    content_hash_update(hash, record->key, record->key_size);
    for (size_t i = 0; i < record->count; i++) {
        const RecordTensor *tensor = &record->tensors[i];
        content_hash_update(hash, tensor->shape, (size_t)tensor->dimensions * sizeof *tensor->shape);
        content_hash_update(hash, tensor->data, record_tensor_bytes(tensor));
    }
}

static bool wrong_shape(const Record *record, const RecordTensor *tensor, const char *wanted, size_t size,
                        Error *error) {
    char where[RECORD_WHERE_TEXT], found[RECORD_TENSOR_TEXT];
    record_where(record, where);
    record_tensor_describe(tensor, found);
    return error_set(error, "%s: %s is %s, but the encoder's %s is %zu", where, tensor->name, found, wanted,
                     size);
}

static bool check_finite(const Record *record, const RecordTensor *tensor, Error *error) {
    const size_t count = record_tensor_elements(tensor);
    if (!dtype_is_float(tensor->dtype) || dtype_find_not_finite(tensor->dtype, tensor->data, count) == count)
        return true;
    char where[RECORD_WHERE_TEXT];
    record_where(record, where);
    return error_set(error, "%s: tensor '%s' has values that are infinite or no number", where, tensor->name);
}

static const RecordTensor *find_pixels(const Record *record, const EncoderConfig *config, Error *error) {
    const RecordTensor *tensor = record_find(record, "pixels");
    const bool bytes = tensor && tensor->dtype == DTYPE_U8;
    tensor = bytes ? record_need(record, "pixels", DTYPE_U8, 3, error)
                   : record_need_float(record, "pixels", 3, error);
    if (!tensor) return NULL;
    const uint64_t *shape = tensor->shape, size = config->image_size;
    if (shape[bytes ? 2 : 0] == 3 && shape[bytes ? 0 : 1] == size && shape[bytes ? 1 : 2] == size)
        return tensor;
    wrong_shape(record, tensor, "image size", size, error);
    return NULL;
}

static bool take_hidden(const Record *record, const EncoderConfig *config, EncodeItem *item, Error *error) {
    if (!hidden_states_of(record, &item->hidden, error)) return false;
    item->rows = item->tokens = item->hidden.rows;
    item->width = item->hidden.width;
    return item->width == config->width ||
           wrong_shape(record, record_find(record, "hidden"), "width", config->width, error);
}

static bool take_ids(const Record *record, EncodeItem *item, Error *error) {
    const RecordTensor *tensor = record_need(record, "ids", DTYPE_I32, 1, error);
    if (!tensor) return false;
    item->rows = item->tokens = tensor->shape[0];
    item->width = 1;
    item->values = tensor->data;
    item->dtype = tensor->dtype;
    return true;
}

static void fill_pixels(EncodeItem *item, const EncoderConfig *config, const void *values, DType dtype) {
    item->rows = 1;
    item->width = 3 * config->image_size * config->image_size;
    item->tokens = encoder_config_image_tokens(config);
    item->values = values;
    item->dtype = dtype;
}

static bool take_pixels(const Record *record, const EncoderConfig *config, EncodeItem *item, Error *error) {
    const RecordTensor *tensor = find_pixels(record, config, error);
    if (!tensor || !check_finite(record, tensor, error)) return false;
    fill_pixels(item, config, tensor->data, tensor->dtype);
    return true;
}

static bool take_record(const EncodeSource *source, const EncoderConfig *config, EncodeItem *item,
                        Error *error) {
    const Record *record = &source->record;
    *item = (EncodeItem){.key = record->key, .key_size = record->key_size};
    return source->start != ENCODER_FROM_INPUT ? take_hidden(record, config, item, error)
           : source->modality == MODALITY_TEXT ? take_ids(record, item, error)
                                               : take_pixels(record, config, item, error);
}

bool encode_source_check(const EncodeSource *source, const EncoderConfig *config, Error *error) {
    if (!source->images) return true;
    const char *name = image_stores_name(source->images);
    const size_t size = image_stores_size(source->images);
    image_recipe_compare(&config->recipe, source->header, name);
    return size == config->image_size ||
           error_set(error,
                     "%s: images of %zu pixels a side, but the encoder's are %zu; pack them with --size %zu",
                     name, size, config->image_size, config->image_size);
}

static StreamStatus next_image(EncodeSource *source, const EncoderConfig *config, EncodeItem *item,
                               Error *error) {
    StoredImage image;
    if (!source->left && source->share) return STREAM_END; /* of all images the hash is looked at */
    const int status = image_stores_next(source->images, &image, error);
    if (status <= 0) return status < 0 ? STREAM_ERROR : STREAM_END;
    source->left -= source->left > 0;
    *item = (EncodeItem){.key = image.name, .key_size = image.name_size};
    fill_pixels(item, config, image.pixels, DTYPE_U8);
    return STREAM_RECORD;
}

StreamStatus encode_source_next(EncodeSource *source, const EncoderConfig *config, EncodeItem *item,
                                Error *error) {
    if (source->images) return next_image(source, config, item, error);
    const StreamStatus status = stream_reader_next(source->reader, &source->record, error);
    if (status != STREAM_RECORD) return status;
    return take_record(source, config, item, error) ? STREAM_RECORD : STREAM_ERROR;
}

static bool write_ids(const EncodeSource *source, const EncodeItem *item, const EncoderConfig *config,
                      void *to, Error *error) {
    if (item->rows) memcpy(to, item->values, item->rows * sizeof(uint32_t));
    if (encoder_check_tokens(config, to, item->rows, error)) return true;
    char where[RECORD_WHERE_TEXT];
    record_where(&source->record, where);
    return error_prefix(error, "%s: ", where);
}

bool encode_source_write(const EncodeSource *source, const EncodeItem *item, const EncoderConfig *config,
                         void *to, Error *error) {
    const size_t count = item->rows * item->width;
    if (source->start != ENCODER_FROM_INPUT)
        hidden_states_to_f32(&item->hidden, to);
    else if (source->modality == MODALITY_TEXT)
        return write_ids(source, item, config, to, error);
    else if (item->dtype == DTYPE_U8)
        image_normalise(item->values, config->image_size, &config->recipe, to);
    else
        dtype_to_f32(item->dtype, item->values, to, count);
    return true;
}

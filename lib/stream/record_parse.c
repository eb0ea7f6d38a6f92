#include "stream/record_parse.h"

#include <inttypes.h>
#include <string.h>

/* Texts get their NUL over the first byte of what follows, which is unpacked already. The pointer of an empty
 * one means nothing, as msgpack-c leaves it as it happens to be. */
static const char *terminate(const char *text, size_t size) {
    if (!size) return "";
    ((char *)text)[size] = 0;
    return text;
}

/* Moves the parts of a tensor together, to where the first lies. */
static bool join_parts(const msgpack_object_array *parts, RecordTensor *tensor, uint64_t *size,
                       Error *error) {
    char *to = "";
    *size = 0;
    for (uint32_t i = 0; i < parts->size; i++) {
        if (parts->ptr[i].type != MSGPACK_OBJECT_BIN)
            return error_set(error, "a part of tensor '%s' is not binary data", tensor->name);
        const msgpack_object_bin *part = &parts->ptr[i].via.bin;
        if (!part->size) continue;
        if (!*size) to = (char *)part->ptr;
        memmove(to + *size, part->ptr, part->size);
        *size += part->size;
    }
    tensor->data = to;
    return true;
}

static bool parse_shape(const msgpack_object *shape, RecordTensor *tensor, Error *error) {
    if (shape->type != MSGPACK_OBJECT_ARRAY || shape->via.array.size > TENSOR_MAX_DIMENSIONS)
        return error_set(error, "tensor '%s' needs a shape of at most %d dimensions", tensor->name,
                         TENSOR_MAX_DIMENSIONS);
    tensor->dimensions = (int)shape->via.array.size;
    for (int i = 0; i < tensor->dimensions; i++) {
        if (shape->via.array.ptr[i].type != MSGPACK_OBJECT_POSITIVE_INTEGER)
            return error_set(error, "tensor '%s' has a dimension that is not a whole number", tensor->name);
        tensor->shape[i] = shape->via.array.ptr[i].via.u64;
    }
    return true;
}

static bool parse_names(const msgpack_object *fields, RecordTensor *tensor, Error *error) {
    if (fields[0].type != MSGPACK_OBJECT_STR || fields[1].type != MSGPACK_OBJECT_STR)
        return error_set(error, "the name and the dtype of a tensor must be strings");
    const msgpack_object_str *name = &fields[0].via.str, *dtype = &fields[1].via.str;
    if (name->size < 1 || name->size > RECORD_MAX_NAME || memchr(name->ptr, 0, name->size))
        return error_set(error, "a tensor's name must have 1 to %d bytes, none of them NUL", RECORD_MAX_NAME);
    tensor->name = terminate(name->ptr, name->size);
    if (dtype_from_name(dtype->ptr, dtype->size, &tensor->dtype)) return true;
    return error_set(error, "tensor '%s' has the dtype '%.*s', which is not known", tensor->name,
                     dtype->size < 32 ? (int)dtype->size : 32, dtype->ptr);
}

static bool parse_tensor(const msgpack_object *object, RecordTensor *tensor, uint64_t *size, Error *error) {
    if (object->type != MSGPACK_OBJECT_ARRAY || object->via.array.size != 4)
        return error_set(error, "a tensor must be [name, dtype, shape, data]");
    const msgpack_object *fields = object->via.array.ptr, *data = &fields[3];
    if (!parse_names(fields, tensor, error) || !parse_shape(&fields[2], tensor, error)) return false;
    if (data->type == MSGPACK_OBJECT_ARRAY) return join_parts(&data->via.array, tensor, size, error);
    if (data->type != MSGPACK_OBJECT_BIN)
        return error_set(error, "the data of tensor '%s' is not binary", tensor->name);
    *size = data->via.bin.size;
    tensor->data = *size ? data->via.bin.ptr : "";
    return true;
}

static bool check_truths(const RecordTensor *tensor, size_t size, Error *error) {
    const unsigned char *bytes = tensor->data;
    unsigned char any = 0;
    for (size_t i = 0; i < size; i++)
        any |= bytes[i];
    return any <= 1 ||
           error_set(error, "tensor '%s' is bool, but has bytes other than 0 and 1", tensor->name);
}

static bool parse_tensors(const msgpack_object_array *tensors, Record *record, Error *error) {
    uint64_t sizes[RECORD_MAX_TENSORS];
    record->count = tensors->size;
    for (size_t i = 0; i < record->count; i++)
        if (!parse_tensor(&tensors->ptr[i], &record->tensors[i], &sizes[i], error)) return false;
    if (!record_check(record, error)) return false;
    for (size_t i = 0; i < record->count; i++) {
        const RecordTensor *tensor = &record->tensors[i];
        char text[RECORD_TENSOR_TEXT];
        record_tensor_describe(tensor, text);
        if (record_tensor_bytes(tensor) != sizes[i])
            return error_set(error, "tensor '%s' is %s, %zu bytes, but has %" PRIu64 " bytes of data",
                             tensor->name, text, record_tensor_bytes(tensor), sizes[i]);
        if (tensor->dtype == DTYPE_BOOL && !check_truths(tensor, sizes[i], error)) return false;
    }
    return true;
}

bool record_parse(const msgpack_object *object, Record *record, Error *error) {
    if (object->type != MSGPACK_OBJECT_ARRAY || object->via.array.size != 2)
        return error_set(error, "neither a record [key, tensors] nor an end record");
    const msgpack_object *key = &object->via.array.ptr[0], *tensors = &object->via.array.ptr[1];
    if (tensors->type != MSGPACK_OBJECT_ARRAY || tensors->via.array.size > RECORD_MAX_TENSORS)
        return error_set(error, "a record must be [key, tensors], with at most %d tensors",
                         RECORD_MAX_TENSORS);
    if (key->type != MSGPACK_OBJECT_BIN && key->type != MSGPACK_OBJECT_STR)
        return error_set(error, "its key is neither binary nor a string");
    const bool binary = key->type == MSGPACK_OBJECT_BIN;
    *record = (Record){0};
    record->key_size = binary ? key->via.bin.size : key->via.str.size;
    record->key = terminate(binary ? key->via.bin.ptr : key->via.str.ptr, record->key_size);
    return parse_tensors(&tensors->via.array, record, error);
}

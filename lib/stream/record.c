#include "stream/record.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

/* Appends to a text of fixed room; what does not fit is left away. */
__attribute__((format(printf, 4, 5))) static void append(char *text, size_t room, size_t *used,
                                                         const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    const int length = vsnprintf(text + *used, room - *used, format, arguments);
    va_end(arguments);
    *used = (size_t)length < room - *used ? *used + (size_t)length : room - 1;
}

void record_where(const Record *record, char where[RECORD_WHERE_TEXT]) {
    enum { SHOWN = 64 };
    size_t used = 0;
    if (record->stream) append(where, RECORD_WHERE_TEXT, &used, "%.200s: ", record->stream);
    if (record->number)
        append(where, RECORD_WHERE_TEXT, &used, "record %" PRIu64 " ('", record->number);
    else
        append(where, RECORD_WHERE_TEXT, &used, "record ('");
    for (size_t i = 0; i < record->key_size && i < SHOWN; i++) {
        const unsigned char byte = (unsigned char)record->key[i];
        append(where, RECORD_WHERE_TEXT, &used, byte < 0x20 || byte == 0x7f ? "\\x%02x" : "%c", byte);
    }
    append(where, RECORD_WHERE_TEXT, &used, "%s')", record->key_size > SHOWN ? "…" : "");
}

/* The product of the dimensions other than 0 must be countable, so that no partial product overflows. */
static bool check_shape(const RecordTensor *tensor, Error *error) {
    uint64_t product = dtype_size(tensor->dtype);
    for (int i = 0; i < tensor->dimensions; i++)
        if (tensor->shape[i] &&
            (__builtin_mul_overflow(product, tensor->shape[i], &product) || product > (uint64_t)INT64_MAX))
            return error_set(error, "the shape of tensor '%s' has more elements than can be counted",
                             tensor->name);
    return true;
}

static bool check_tensor(const RecordTensor *tensor, Error *error) {
    const size_t length = strlen(tensor->name);
    if (length < 1 || length > RECORD_MAX_NAME)
        return error_set(error, "a tensor's name has %zu bytes; 1 to %d are allowed", length,
                         RECORD_MAX_NAME);
    if (tensor->dimensions < 0 || tensor->dimensions > TENSOR_MAX_DIMENSIONS)
        return error_set(error, "tensor '%s' has %d dimensions; at most %d are allowed", tensor->name,
                         tensor->dimensions, TENSOR_MAX_DIMENSIONS);
    return check_shape(tensor, error);
}

bool record_check(const Record *record, Error *error) {
    if (record->key_size > RECORD_MAX_KEY)
        return error_set(error, "the key has %zu bytes; at most %d are allowed", record->key_size,
                         RECORD_MAX_KEY);
    if (record->count > RECORD_MAX_TENSORS)
        return error_set(error, "%zu tensors; at most %d are allowed", record->count, RECORD_MAX_TENSORS);
    for (size_t i = 0; i < record->count; i++) {
        if (!check_tensor(&record->tensors[i], error)) return false;
        for (size_t j = 0; j < i; j++)
            if (!strcmp(record->tensors[i].name, record->tensors[j].name))
                return error_set(error, "two tensors have the name '%s'", record->tensors[i].name);
    }
    return true;
}

uint64_t record_tensor_elements(const RecordTensor *tensor) {
    uint64_t product = 1;
    for (int i = 0; i < tensor->dimensions; i++)
        product *= tensor->shape[i];
    return product;
}

size_t record_tensor_bytes(const RecordTensor *tensor) {
    return record_tensor_elements(tensor) * dtype_size(tensor->dtype);
}

const RecordTensor *record_find(const Record *record, const char *name) {
    for (size_t i = 0; i < record->count; i++)
        if (!strcmp(record->tensors[i].name, name)) return &record->tensors[i];
    return NULL;
}

void record_tensor_describe(const RecordTensor *tensor, char text[RECORD_TENSOR_TEXT]) {
    size_t used = 0;
    append(text, RECORD_TENSOR_TEXT, &used, "%s [", dtype_name(tensor->dtype));
    for (int i = 0; i < tensor->dimensions; i++)
        append(text, RECORD_TENSOR_TEXT, &used, "%s%" PRIu64, i ? "," : "", tensor->shape[i]);
    append(text, RECORD_TENSOR_TEXT, &used, "]");
}

/* `kind` is the dtype wanted, in words. */
static const RecordTensor *mismatch(const Record *record, const char *name, const char *kind, int dimensions,
                                    Error *error) {
    char where[RECORD_WHERE_TEXT];
    const RecordTensor *tensor = record_find(record, name);
    record_where(record, where);
    if (tensor) {
        char is[RECORD_TENSOR_TEXT];
        record_tensor_describe(tensor, is);
        error_set(error, "%s: tensor '%s' is %s; expected %s tensor of %d dimension%s", where, name, is, kind,
                  dimensions, dimensions == 1 ? "" : "s");
    } else {
        error_set(error, "%s: no tensor '%s'; expected %s tensor of %d dimension%s", where, name, kind,
                  dimensions, dimensions == 1 ? "" : "s");
    }
    return NULL;
}

const RecordTensor *record_need_float(const Record *record, const char *name, int dimensions, Error *error) {
    const RecordTensor *tensor = record_find(record, name);
    if (tensor && dtype_is_float(tensor->dtype) && tensor->dimensions == dimensions) return tensor;
    return mismatch(record, name, "a float", dimensions, error);
}

const RecordTensor *record_need(const Record *record, const char *name, DType wanted, int dimensions,
                                Error *error) {
    const RecordTensor *tensor = record_find(record, name);
    if (tensor && tensor->dtype == wanted && tensor->dimensions == dimensions) return tensor;
    char kind[16];
    snprintf(kind, sizeof kind, "%s %s", dtype_name(wanted)[0] == 'i' ? "an" : "a", dtype_name(wanted));
    return mismatch(record, name, kind, dimensions, error);
}

RecordTensor record_tensor(const char *name, DType dtype, const void *data, int dimensions, ...) {
    RecordTensor tensor = {.name = name, .dtype = dtype, .dimensions = dimensions, .data = data};
    va_list shape;
    va_start(shape, dimensions);
    for (int i = 0; i < dimensions && i < TENSOR_MAX_DIMENSIONS; i++)
        tensor.shape[i] = va_arg(shape, uint64_t);
    va_end(shape);
    return tensor;
}

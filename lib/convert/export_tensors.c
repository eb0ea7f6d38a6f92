/* Models and encoders: an array a record, under its name. */
#include "convert/export_parts.h"
#include "core/log.h"
#include "core/memory.h"
#include "core/name_table.h"
#include "core/utf8.h"
#include "stream/reader.h"

#include <inttypes.h>

typedef struct TensorExport {
    NameTable *names;
    OutputArray *arrays;
    size_t capacity;
    bool widen_bf16;
    StreamReader *reader; /* of the second pass */
    float *widened;
    size_t widened_capacity;
} TensorExport;

static bool survey_record(TensorExport *export, const Record *record, Error *error) {
    bool added;
    const RecordTensor *tensor = record_find(record, "value");
    const size_t number = name_table_add(export->names, record->key, record->key_size, &added);
    char where[RECORD_WHERE_TEXT];
    record_where(record, where);
    if (!tensor) return error_set(error, "%s: no tensor 'value'", where);
    if (!added) return error_set(error, "%s: a tensor of this name came before", where);
    if (strlen(record->key) != record->key_size ||
        utf8_valid_prefix(record->key, record->key_size) != record->key_size)
        return error_set(error, "%s: a name with a NUL or that is no UTF-8, which no array has", where);
    export->arrays = memory_grow(export->arrays, &export->capacity, number + 1, sizeof *export->arrays);
    OutputArray *array = &export->arrays[number];
    const bool widen = export->widen_bf16 && tensor->dtype == DTYPE_BF16;
    *array = (OutputArray){.name = name_table_name(export->names, number, NULL),
                           .dtype = widen ? DTYPE_F32 : tensor->dtype,
                           .dimensions = tensor->dimensions};
    memcpy(array->shape, tensor->shape, sizeof array->shape);
    return true;
}

static bool survey(TensorExport *export, const char *input, Error *error) {
    StreamReader *reader = stream_reader_open(input, error);
    if (!reader) return false;
    Record record;
    StreamStatus status;
    bool fine = true;
    while (fine && (status = stream_reader_next(reader, &record, error)) == STREAM_RECORD)
        fine = survey_record(export, &record, error);
    fine = fine && status == STREAM_END;
    stream_reader_close(reader);
    if (fine && name_table_count(export->names) == 0)
        return error_set(error, "%s: it holds no tensor", input);
    return fine;
}

static bool same_array(const OutputArray *array, const RecordTensor *tensor) {
    bool same = array->dimensions == tensor->dimensions;
    for (int i = 0; i < tensor->dimensions && same; i++)
        same = array->shape[i] == tensor->shape[i];
    return same && (array->dtype == tensor->dtype || tensor->dtype == DTYPE_BF16);
}

/* Reads on to record `index`; what lies between has no elements. */
static bool next_tensor(void *context, size_t index, const void **bytes, size_t *size, Error *error) {
    TensorExport *export = context;
    Record record = {0};
    while (stream_reader_count(export->reader) <= index) {
        const StreamStatus status = stream_reader_next(export->reader, &record, error);
        if (status == STREAM_ERROR) return false;
        if (status == STREAM_END) return changed_error(stream_reader_name(export->reader), error);
    }
    const OutputArray *array = &export->arrays[index];
    const RecordTensor *tensor = record_find(&record, "value");
    if (!tensor || !same_array(array, tensor))
        return changed_error(stream_reader_name(export->reader), error);
    *bytes = tensor->data;
    *size = record_tensor_bytes(tensor);
    if (array->dtype == tensor->dtype) return true;
    const size_t count = (size_t)record_tensor_elements(tensor);
    export->widened = memory_grow(export->widened, &export->widened_capacity, count, sizeof *export->widened);
    dtype_to_f32(tensor->dtype, tensor->data, export->widened, count);
    *bytes = export->widened;
    *size = count * sizeof(float);
    return true;
}

bool export_tensors(const ExportRequest *request, Error *error) {
    TensorExport export = {.names = name_table_create(), .widen_bf16 = !request->target->has_bf16};
    bool fine = survey(&export, request->inputs[0], error);
    export.reader = fine ? stream_reader_open(request->inputs[0], error) : NULL;
    fine = export.reader &&
           array_target_write(request->target, request->output, export.arrays, name_table_count(export.names),
                              (ArraySupply){next_tensor, &export}, error);
    if (fine) log_report("%zu tensors", name_table_count(export.names));
    stream_reader_close(export.reader);
    name_table_destroy(export.names);
    free(export.arrays);
    free(export.widened);
    return fine;
}

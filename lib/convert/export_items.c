/* Streams with a record an item: one array of all, padded to the longest, its mask, and the keys. */
#include "convert/export_parts.h"
#include "core/log.h"
#include "core/memory.h"
#include "stream/hidden_states.h"
#include "stream/reader.h"

typedef struct ItemExport {
    const ExportRequest *request;
    const char *input, *tensor;
    bool ragged; /* the first size differs between items */
    DType dtype; /* in the stream */
    NameTable *keys;
    uint64_t *lengths; /* by item: its first size */
    size_t capacity;
    OutputArray arrays[2]; /* the tensor and the mask */
    StreamReader *reader;  /* of the second pass */
    unsigned char *row;    /* one item, padded */
    size_t next_mask;
} ItemExport;

enum { PADDING_ID = 1 };

/* The array so far: as the first record has it, and as long as the longest. */
static bool fit_shape(ItemExport *export, const RecordTensor *tensor, bool first) {
    OutputArray *array = &export->arrays[0];
    const int fixed_from = export->ragged ? 1 : 0;
    if (first) {
        export->dtype = tensor->dtype;
        array->dimensions = tensor->dimensions + 1;
        memcpy(array->shape + 1, tensor->shape, (size_t)tensor->dimensions * sizeof *tensor->shape);
    }
    bool fits = tensor->dimensions > 0 && tensor->dimensions + 1 == array->dimensions &&
                tensor->dimensions < TENSOR_MAX_DIMENSIONS && tensor->dtype == export->dtype;
    for (int i = fixed_from; i < tensor->dimensions && fits; i++)
        fits = tensor->shape[i] == array->shape[i + 1];
    if (fits && tensor->shape[0] > array->shape[1]) array->shape[1] = tensor->shape[0];
    return fits;
}

static bool survey_record(ItemExport *export, const Record *record, Error *error) {
    bool added;
    const RecordTensor *tensor = record_find(record, export->tensor);
    char where[RECORD_WHERE_TEXT];
    record_where(record, where);
    if (!tensor) return error_set(error, "%s: no tensor '%s'", where, export->tensor);
    if (memchr(record->key, '\n', record->key_size))
        return error_set(error, "%s: the key holds a line end", where);
    const size_t number = name_table_add(export->keys, record->key, record->key_size, &added);
    if (!added) return error_set(error, "%s: an item of this name came before", where);
    if (tensor->dimensions >= TENSOR_MAX_DIMENSIONS || !fit_shape(export, tensor, number == 0))
        return error_set(error, "%s: '%s' has another shape or dtype than in the records before", where,
                         export->tensor);
    export->lengths = memory_grow(export->lengths, &export->capacity, number + 1, sizeof *export->lengths);
    export->lengths[number] = tensor->shape[0];
    return true;
}

static bool survey(ItemExport *export, Error *error) {
    StreamReader *reader = stream_reader_open(export->input, error);
    if (!reader) return false;
    Record record;
    StreamStatus status;
    bool fine = true;
    while (fine && (status = stream_reader_next(reader, &record, error)) == STREAM_RECORD)
        fine = survey_record(export, &record, error);
    fine = fine && status == STREAM_END;
    stream_reader_close(reader);
    if (fine && name_table_count(export->keys) == 0)
        return error_set(error, "%s: it holds no item", export->input);
    return fine;
}

/* Elements of a padded item, and of one token of it. */
static size_t row_elements(const OutputArray *array, int from) {
    size_t elements = 1;
    for (int i = from; i < array->dimensions; i++)
        elements *= (size_t)array->shape[i];
    return elements;
}

/* bf16 where the target has none, and scaled i8, become f32. */
static bool fill_row(ItemExport *export, const Record *record, const RecordTensor *tensor, Error *error) {
    const size_t count = (size_t)record_tensor_elements(tensor);
    HiddenStates hidden;
    if (export->arrays[0].dtype == tensor->dtype) {
        memcpy(export->row, tensor->data, count * dtype_size(tensor->dtype));
        return true;
    }
    if (tensor->dtype != DTYPE_I8) {
        dtype_to_f32(tensor->dtype, tensor->data, (float *)(void *)export->row, count);
        return true;
    }
    if (!hidden_states_of(record, &hidden, error)) return false;
    hidden_states_to_f32(&hidden, (float *)(void *)export->row);
    return true;
}

static bool next_row(ItemExport *export, size_t *size, Error *error) {
    const OutputArray *array = &export->arrays[0];
    Record record;
    const StreamStatus status = stream_reader_next(export->reader, &record, error);
    if (status == STREAM_ERROR) return false;
    const uint64_t number = stream_reader_count(export->reader) - 1;
    const RecordTensor *tensor = status == STREAM_END ? NULL : record_find(&record, export->tensor);
    if (!tensor || tensor->dtype != export->dtype || tensor->dimensions + 1 != array->dimensions ||
        number >= array->shape[0] || tensor->shape[0] != export->lengths[number] ||
        record_tensor_elements(tensor) != tensor->shape[0] * row_elements(array, 2))
        return changed_error(export->input, error);
    const size_t count = (size_t)record_tensor_elements(tensor), padded = row_elements(array, 1);
    *size = padded * dtype_size(array->dtype);
    memset(export->row, 0, *size);
    if (!fill_row(export, &record, tensor, error)) return false;
    for (size_t i = count; i < padded && array->dtype == DTYPE_I32; i++)
        ((int32_t *)(void *)export->row)[i] = PADDING_ID;
    return true;
}

static bool next_bytes(void *context, size_t index, const void **bytes, size_t *size, Error *error) {
    ItemExport *export = context;
    *bytes = export->row;
    if (index == 0) return next_row(export, size, error);
    *size = (size_t) export->arrays[1].shape[1];
    memset(export->row, 0, *size);
    memset(export->row, 1, (size_t) export->lengths[export->next_mask++]);
    return true;
}

static bool write_arrays(ItemExport *export, Error *error) {
    OutputArray *array = &export->arrays[0];
    const ArrayTarget *target = export->request->target;
    const bool scaled = export->dtype == DTYPE_I8 && !strcmp(export->tensor, "hidden");
    const bool widen = scaled || (!target->has_bf16 && export->dtype == DTYPE_BF16);
    array->dtype = widen ? DTYPE_F32 : export->dtype;
    array->name = export->tensor;
    array->shape[0] = name_table_count(export->keys);
    export->arrays[1] = (OutputArray){
        .name = "mask", .dtype = DTYPE_BOOL, .dimensions = 2, .shape = {array->shape[0], array->shape[1]}};
    size_t bytes;
    if (__builtin_mul_overflow(row_elements(array, 2), (size_t)array->shape[1], &bytes) ||
        __builtin_mul_overflow(bytes, dtype_size(array->dtype) * array->shape[0], &bytes))
        return error_set(error, "%s: padded to the longest item, the array would be absurdly large",
                         export->input);
    /* One row, or one row of the mask. */
    export->row = memory_allocate(bytes / (size_t)array->shape[0] + (size_t)array->shape[1], 1, error);
    if (!export->row) return false;
    export->reader = stream_reader_open(export->input, error);
    return export->reader && export_with_keys(export->request, export->arrays, export->ragged ? 2 : 1,
                                              (ArraySupply){next_bytes, export}, export->keys, error);
}

static bool check_target(const ItemExport *export, Error *error) {
    return !export->ragged || !export->request->target->holds_one ||
           error_set(error, "%s: %s of items come with a mask, two arrays; write an .npz",
                     export->request->output, export->tensor);
}

bool export_items(const ExportRequest *request, const char *tensor, Error *error) {
    ItemExport export = {.request = request,
                         .input = request->inputs[0],
                         .tensor = tensor,
                         .ragged = !strcmp(tensor, "ids") || !strcmp(tensor, "hidden"),
                         .keys = name_table_create()};
    const bool fine = check_target(&export, error) && survey(&export, error) && write_arrays(&export, error);
    if (fine)
        log_report(export.ragged ? "%s of %zu items, padded to %zu tokens" : "%s of %zu items", tensor,
                   name_table_count(export.keys), (size_t) export.arrays[0].shape[1]);
    stream_reader_close(export.reader);
    name_table_destroy(export.keys);
    free(export.lengths);
    free(export.row);
    return fine;
}

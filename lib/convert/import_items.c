/* Arrays with a row an item: hidden states, token ids, pixels. */
#include "arrays/array_file.h"
#include "convert/import.h"
#include "core/log.h"
#include "core/memory.h"
#include "core/progress.h"
#include "data/catalogue.h"
#include "stream/hidden_states.h"
#include "stream/writer.h"

#include <inttypes.h>

typedef struct ItemImport ItemImport;

/* What an array by item may be, and what becomes of it. */
typedef struct Form {
    const char *kind, *tensor; /* of the stream, and of a record */
    bool is_float;
    const char *needed; /* for a message */
    /* Sets tokens, width and the tensor's shape by the array's; false when it has another. */
    bool (*fit)(ItemImport *import, const Array *array);
    void (*describe)(const ItemImport *import, json_t *header);
    const char *(*what)(const ImportRequest *request); /* for the report */
} Form;

struct ItemImport {
    const ImportRequest *request;
    const Form *form;
    ArrayFile *file;
    Catalogue catalogue;
    const Array *array, *mask;
    ArrayReader *rows, *mask_rows;
    StreamWriter *writer;
    RecordTensor tensor;  /* what is written of an item, but for its data */
    size_t tokens, width; /* a row is tokens × width elements */
    unsigned char *real;  /* by token of the current row: whether its mask is 1 */
    unsigned char *row;   /* the current row, of the tensor's dtype */
    void *scaled;         /* the same in i8 with its scales; NULL where that is not wanted */
    uint64_t cut;         /* tokens left out */
};

static const char *modality_of(const ImportRequest *request) {
    if (request->modality) return request->modality;
    return request->mask || strstr(request->array, "text") ? "text" : "image";
}

static void set_shape(ItemImport *import, int dimensions, const uint64_t *shape) {
    import->tensor.dimensions = dimensions;
    memcpy(import->tensor.shape, shape, (size_t)dimensions * sizeof *shape);
}

/* [items, width] is one token an item. */
static bool fit_hidden(ItemImport *import, const Array *array) {
    if (array->dimensions != 2 && array->dimensions != 3) return false;
    const uint64_t shape[] = {array->dimensions == 3 ? array->shape[1] : 1,
                              array->shape[array->dimensions - 1]};
    import->tokens = (size_t)shape[0];
    import->width = (size_t)shape[1];
    set_shape(import, 2, shape);
    return true;
}

static void describe_hidden(const ItemImport *import, json_t *header) {
    json_object_set_new(header, "modality", json_string(modality_of(import->request)));
    json_object_set_new(header, "blocks", json_string("last"));
    json_object_set_new(header, "width", json_integer((json_int_t)import->width));
}

static const char *name_hidden(const ImportRequest *request) {
    return modality_of(request)[0] == 't' ? "text hidden states" : "image hidden states";
}

static const Form hidden_form = {.kind = "hidden",
                                 .tensor = "hidden",
                                 .is_float = true,
                                 .needed = "a float array [items, tokens, width] or [items, width]",
                                 .fit = fit_hidden,
                                 .describe = describe_hidden,
                                 .what = name_hidden};

static bool fit_tokens(ItemImport *import, const Array *array) {
    import->tokens = (size_t)array->shape[1];
    import->width = 1;
    set_shape(import, 1, array->shape + 1);
    return array->dimensions == 2;
}

static void describe_tokens(const ItemImport *import, json_t *header) {
    json_object_set_new(header, "tokenizer", json_string("imported"));
    json_object_set_new(header, "max_tokens", json_integer((json_int_t)import->tokens));
}

static const char *name_tokens(const ImportRequest *request) {
    (void)request;
    return "token ids";
}

static const Form tokens_form = {.kind = "tokens",
                                 .tensor = "ids",
                                 .needed = "an array [items, tokens] of whole numbers",
                                 .fit = fit_tokens,
                                 .describe = describe_tokens,
                                 .what = name_tokens};

static bool fit_pixels(ItemImport *import, const Array *array) {
    import->tokens = 1;
    import->width = (size_t)array_row_elements(array);
    set_shape(import, 3, array->shape + 1);
    return array->dimensions == 4 && array->shape[1] == 3 && array->shape[2] == array->shape[3];
}

static void describe_pixels(const ItemImport *import, json_t *header) {
    json_object_set_new(header, "channels", json_integer(3));
    json_object_set_new(header, "size", json_integer((json_int_t)import->array->shape[2]));
}

static const char *name_pixels(const ImportRequest *request) {
    (void)request;
    return "pixels";
}

static const Form pixels_form = {.kind = "pixels",
                                 .tensor = "pixels",
                                 .is_float = true,
                                 .needed = "a float array [items, 3, size, size], normalised,",
                                 .fit = fit_pixels,
                                 .describe = describe_pixels,
                                 .what = name_pixels};

static bool fit_vectors(ItemImport *import, const Array *array) {
    import->tokens = 1;
    import->width = (size_t)array->shape[1];
    set_shape(import, 1, array->shape + 1);
    return array->dimensions == 2;
}

static void describe_vectors(const ItemImport *import, json_t *header) {
    json_object_set_new(header, "dim", json_integer((json_int_t)import->width));
    json_object_set_new(header, "tower", json_string("imported"));
}

static const char *name_vectors(const ImportRequest *request) {
    (void)request;
    return "vectors";
}

static const Form vectors_form = {.kind = "items",
                                  .tensor = "vector",
                                  .is_float = true,
                                  .needed = "a float array [items, width]",
                                  .fit = fit_vectors,
                                  .describe = describe_vectors,
                                  .what = name_vectors};

static bool check_rows(const ItemImport *import, const Array *array, Error *error) {
    const uint64_t rows = array_rows(array), items = name_table_count(import->catalogue.names);
    return rows == items ||
           error_set(error,
                     "%s: %s has %" PRIu64 " rows, but %s has %" PRIu64
                     " items; row i must be that of line i",
                     array_file_path(import->file), array->name, rows, import->request->items, items);
}

static bool shape_error(const ItemImport *import, const Array *array, const char *wanted, Error *error) {
    char text[ARRAY_TEXT];
    return error_set(error, "%s: %s is %s; %s is needed", array_file_path(import->file), array->name,
                     array_describe(array, text), wanted);
}

static bool is_scaled(const ImportRequest *request) {
    return !request->keep_dtype && request->dtype == DTYPE_I8;
}

static bool find_mask(ItemImport *import, Error *error) {
    if (!import->request->mask) return true;
    import->mask = array_file_need(import->file, import->request->mask, error);
    if (!import->mask) return false;
    if (import->mask->dimensions != 2 || import->mask->shape[1] != import->tokens)
        return shape_error(import, import->mask, "a mask [items, tokens] that fits its array", error);
    return check_rows(import, import->mask, error);
}

/* What a row becomes: integers i32; floats f32, but hidden states the dtype asked for, or bf16 if they are
 * that. i8 is made of f32. */
static DType row_dtype(const ImportRequest *request, const Form *form, ElementType type) {
    if (!form->is_float) return DTYPE_I32;
    if (form != &hidden_form || is_scaled(request)) return DTYPE_F32;
    if (!request->keep_dtype) return request->dtype;
    return type == ELEMENT_BF16 ? DTYPE_BF16 : DTYPE_F32;
}

static bool fit_array(ItemImport *import, Error *error) {
    const Form *form = import->form;
    const Array *array = import->array;
    import->tensor =
        (RecordTensor){.name = form->tensor, .dtype = row_dtype(import->request, form, array->type)};
    bool fits = element_is_float(array->type) == form->is_float;
    for (int i = 1; i < array->dimensions; i++)
        fits = fits && array->shape[i];
    return (fits && form->fit(import, array)) || shape_error(import, array, form->needed, error);
}

/* Opens the files, and finds the arrays. */
static bool start(ItemImport *import, Error *error) {
    const ImportRequest *request = import->request;
    if (!catalogue_read(&import->catalogue, request->items, error)) return false;
    import->file = array_file_open(request->file, error);
    if (!import->file) return false;
    import->array = array_file_need(import->file, request->array, error);
    return import->array && check_rows(import, import->array, error) && fit_array(import, error) &&
           find_mask(import, error);
}

static json_t *build_header(const ItemImport *import) {
    json_t *header = header_create(import->form->kind);
    import->form->describe(import, header);
    header_sign(header, import->request->tool, json_incref(import->request->options));
    header_add_input(header, "items", NULL);
    header_add_input(header, "file", NULL);
    return header;
}

static bool start_writing(ItemImport *import, Error *error) {
    import->real = memory_allocate(import->tokens, 1, error);
    import->row = memory_allocate(import->tokens * import->width, dtype_size(import->tensor.dtype), error);
    if (!import->real || !import->row) return false;
    if (is_scaled(import->request) &&
        !(import->scaled =
              memory_allocate(hidden_states_bytes(DTYPE_I8, import->tokens, import->width), 1, error)))
        return false;
    if (!(import->rows = array_reader_open(import->file, import->array, error))) return false;
    if (import->mask && !(import->mask_rows = array_reader_open(import->file, import->mask, error)))
        return false;
    json_t *header = build_header(import);
    import->writer = stream_writer_open(import->request->output, header, error);
    json_decref(header);
    return import->writer;
}

static bool finish(ItemImport *import, bool fine, Error *error) {
    if (fine) {
        stream_writer_add_content(import->writer, "items", json_incref(import->catalogue.content));
        stream_writer_add_content(import->writer, "file", array_file_content(import->file));
        fine = stream_writer_close(import->writer, error);
    } else {
        stream_writer_abandon(import->writer);
    }
    array_reader_close(import->rows);
    array_reader_close(import->mask_rows);
    array_file_close(import->file);
    catalogue_free(&import->catalogue);
    free(import->real);
    free(import->row);
    free(import->scaled);
    return fine;
}

static bool read_mask(ItemImport *import, Error *error) {
    memset(import->real, 1, import->tokens);
    if (!import->mask) return true;
    const void *mask = array_reader_next(import->mask_rows, 1, error);
    if (mask) element_to_mask(import->mask->type, mask, import->real, import->tokens);
    return mask != NULL;
}

/* Moves the real tokens to the front, in their order, and returns how many there are. */
static size_t cut_padding(ItemImport *import) {
    const size_t size = import->width * dtype_size(import->tensor.dtype);
    size_t kept = 0;
    for (size_t i = 0; i < import->tokens; i++) {
        if (!import->real[i]) continue;
        if (kept != i) memcpy(import->row + kept * size, import->row + i * size, size);
        kept++;
    }
    import->cut += import->tokens - kept;
    return kept;
}

static bool check_finite(const ItemImport *import, size_t count, Error *error) {
    const DType dtype = import->tensor.dtype;
    const size_t at = dtype_is_float(dtype) ? dtype_find_not_finite(dtype, import->row, count) : count;
    return at == count || error_set(error, "value %zu of it is not finite", at);
}

static bool check_ids(const ItemImport *import, size_t count, Error *error) {
    for (size_t i = 0; i < count && import->tensor.dtype == DTYPE_I32; i++) {
        int32_t id;
        memcpy(&id, import->row + i * sizeof id, sizeof id);
        if (id < 0) return error_set(error, "the token id %" PRId32 " is negative", id);
    }
    return true;
}

/* The next row, converted and cut to `*kept` tokens. */
static bool read_row(ItemImport *import, size_t *kept, Error *error) {
    const void *row = array_reader_next(import->rows, 1, error);
    const size_t count = import->tokens * import->width;
    if (!row || !read_mask(import, error) ||
        !element_convert(import->array->type, row, import->tensor.dtype, import->row, count, error))
        return false;
    *kept = cut_padding(import);
    if (*kept == 0) return error_set(error, "it has no token, its mask is 0 everywhere");
    return check_finite(import, *kept * import->width, error) && check_ids(import, *kept, error);
}

static bool fill_record(ItemImport *import, Record *record, size_t kept, Error *error) {
    if (import->mask) record->tensors[0].shape[0] = kept;
    record->tensors[0].data = import->row;
    return !import->scaled || hidden_states_fill(record, DTYPE_I8, (const float *)(void *)import->row, kept,
                                                 import->width, import->scaled, error);
}

static bool write_row(ItemImport *import, size_t row, Error *error) {
    Record record = {.count = 1, .tensors = {import->tensor}};
    size_t kept = 0;
    record.key = name_table_name(import->catalogue.names, row, &record.key_size);
    if (!read_row(import, &kept, error) || !fill_record(import, &record, kept, error))
        return error_prefix(error, "%s: %s: row %zu, item %s: ", array_file_path(import->file),
                            import->array->name, row, record.key);
    return stream_writer_put(import->writer, &record, error);
}

static bool write_rows(ItemImport *import, Error *error) {
    const size_t items = name_table_count(import->catalogue.names);
    Progress progress;
    progress_start(&progress, "items", items);
    bool fine = true;
    for (size_t i = 0; i < items && fine; i++) {
        fine = write_row(import, i, error);
        progress_update(&progress, i + 1);
    }
    progress_finish(&progress);
    return fine;
}

static void report(const ItemImport *import) {
    const char *beside = array_file_beside(import->file);
    char cut[64] = "";
    if (import->mask) snprintf(cut, sizeof cut, ", %" PRIu64 " padded tokens cut off", import->cut);
    log_report("%s of %zu items%s%s%s", import->form->what(import->request),
               name_table_count(import->catalogue.names), cut, *beside ? "; left " : "", beside);
}

static bool import_rows(const ImportRequest *request, const Form *form, Error *error) {
    ItemImport import = {.request = request, .form = form};
    const bool fine = start(&import, error) && start_writing(&import, error) && write_rows(&import, error);
    if (fine) report(&import);
    return finish(&import, fine, error);
}

bool import_hidden(const ImportRequest *request, Error *error) {
    return import_rows(request, &hidden_form, error);
}

bool import_tokens(const ImportRequest *request, Error *error) {
    return import_rows(request, &tokens_form, error);
}

bool import_pixels(const ImportRequest *request, Error *error) {
    return import_rows(request, &pixels_form, error);
}

bool import_vectors(const ImportRequest *request, Error *error) {
    return import_rows(request, &vectors_form, error);
}

/* Arrays with a row an item: hidden states, token ids, pixels. */
#include "arrays/array_file.h"
#include "convert/import.h"
#include "core/log.h"
#include "core/memory.h"
#include "core/progress.h"
#include "data/catalogue.h"
#include "stream/writer.h"

#include <inttypes.h>
#include <math.h>

typedef struct ItemImport {
    const ImportRequest *request;
    ArrayFile *file;
    Catalogue catalogue;
    const Array *array, *mask;
    ArrayReader *rows, *mask_rows;
    StreamWriter *writer;
    DType dtype;          /* of what is written */
    size_t tokens, width; /* a row is tokens × width elements */
    unsigned char *real;  /* by token of the current row: whether its mask is 1 */
    unsigned char *row;   /* the current row as `dtype` */
    uint64_t cut;         /* tokens left out */
} ItemImport;

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

static bool find_mask(ItemImport *import, Error *error) {
    if (!import->request->mask) return true;
    import->mask = array_file_need(import->file, import->request->mask, error);
    if (!import->mask) return false;
    if (import->mask->dimensions != 2 || import->mask->shape[1] != import->tokens)
        return shape_error(import, import->mask, "a mask [items, tokens] that fits its array", error);
    return check_rows(import, import->mask, error);
}

/* Opens the files, and finds the arrays; the caller has set nothing but the request. */
static bool start(ItemImport *import, Error *error) {
    const ImportRequest *request = import->request;
    if (!catalogue_read(&import->catalogue, request->items, error)) return false;
    import->file = array_file_open(request->file, error);
    if (!import->file) return false;
    import->array = array_file_need(import->file, request->array, error);
    return import->array && check_rows(import, import->array, error);
}

/* After `tokens`, `width` and `dtype` are set. `header` is stolen. */
static bool start_writing(ItemImport *import, json_t *header, Error *error) {
    header_sign(header, import->request->tool, json_incref(import->request->options));
    header_add_input(header, "items", NULL);
    header_add_input(header, "file", NULL);
    import->real = memory_allocate(import->tokens, 1, error);
    import->row = memory_allocate(import->tokens * import->width, dtype_size(import->dtype), error);
    bool fine = import->real && import->row;
    if (fine) import->rows = array_reader_open(import->file, import->array, error);
    fine = fine && import->rows;
    if (fine && import->mask) import->mask_rows = array_reader_open(import->file, import->mask, error);
    fine = fine && (!import->mask || import->mask_rows);
    if (fine) import->writer = stream_writer_open(import->request->output, header, error);
    json_decref(header);
    return fine && import->writer;
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
    const size_t size = import->width * dtype_size(import->dtype);
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
    enum { CHUNK = 1024 };
    float chunk[CHUNK];
    if (!dtype_is_float(import->dtype)) return true;
    for (size_t done = 0; done < count; done += CHUNK) {
        const size_t now = count - done < CHUNK ? count - done : CHUNK;
        dtype_to_f32(import->dtype, import->row + done * dtype_size(import->dtype), chunk, now);
        for (size_t i = 0; i < now; i++)
            if (!isfinite(chunk[i])) return error_set(error, "a value is not finite");
    }
    return true;
}

static bool check_ids(const ItemImport *import, size_t count, Error *error) {
    for (size_t i = 0; i < count && import->dtype == DTYPE_I32; i++) {
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
        !element_convert(import->array->type, row, import->dtype, import->row, count, error))
        return false;
    *kept = cut_padding(import);
    if (*kept == 0) return error_set(error, "it has no token, its mask is 0 everywhere");
    return check_finite(import, *kept * import->width, error) && check_ids(import, *kept, error);
}

/* Writes every row as the tensor `tensor`; of its shape the first size becomes the number of tokens kept. */
static bool write_rows(ItemImport *import, RecordTensor tensor, Error *error) {
    const size_t items = name_table_count(import->catalogue.names);
    Progress progress;
    progress_start(&progress, "items", items);
    bool fine = true;
    for (size_t i = 0; i < items && fine; i++) {
        Record record = {.count = 1, .tensors = {tensor}};
        size_t kept = 0;
        record.key = name_table_name(import->catalogue.names, i, &record.key_size);
        fine = read_row(import, &kept, error) ||
               error_prefix(error, "%s: %s: row %zu, item %s: ", array_file_path(import->file),
                            import->array->name, i, record.key);
        if (import->mask) record.tensors[0].shape[0] = kept;
        record.tensors[0].data = import->row;
        fine = fine && stream_writer_put(import->writer, &record, error);
        progress_update(&progress, i + 1);
    }
    progress_finish(&progress);
    return fine;
}

static void report(const ItemImport *import, const char *what) {
    const char *beside = array_file_beside(import->file);
    log_report("%s of %zu items, %" PRIu64 " padded tokens cut off%s%s", what,
               name_table_count(import->catalogue.names), import->cut, *beside ? "; left " : "", beside);
}

static const char *guess_modality(const ImportRequest *request) {
    if (request->modality) return request->modality;
    return request->mask || strstr(request->array, "text") ? "text" : "image";
}

bool import_hidden(const ImportRequest *request, Error *error) {
    ItemImport import = {.request = request};
    bool fine = start(&import, error);
    const Array *array = import.array;
    if (fine &&
        (array->dimensions != 3 || !element_is_float(array->type) || !array->shape[1] || !array->shape[2]))
        fine = shape_error(&import, array, "a float array [items, tokens, width]", error);
    if (fine) {
        import.tokens = (size_t)array->shape[1];
        import.width = (size_t)array->shape[2];
        import.dtype = !request->keep_dtype          ? request->dtype
                       : array->type == ELEMENT_BF16 ? DTYPE_BF16
                                                     : DTYPE_F32;
        fine = find_mask(&import, error);
    }
    if (fine) {
        json_t *header = header_create("hidden");
        json_object_set_new(header, "modality", json_string(guess_modality(request)));
        json_object_set_new(header, "blocks", json_string("last"));
        json_object_set_new(header, "width", json_integer((json_int_t)import.width));
        fine = start_writing(&import, header, error) &&
               write_rows(&import,
                          record_tensor("hidden", import.dtype, NULL, 2, (uint64_t)import.tokens,
                                        (uint64_t)import.width),
                          error);
    }
    if (fine)
        report(&import, guess_modality(request)[0] == 't' ? "text hidden states" : "image hidden states");
    return finish(&import, fine, error);
}

bool import_tokens(const ImportRequest *request, Error *error) {
    ItemImport import = {.request = request, .width = 1, .dtype = DTYPE_I32};
    bool fine = start(&import, error);
    const Array *array = import.array;
    if (fine && (array->dimensions != 2 || element_is_float(array->type) || !array->shape[1]))
        fine = shape_error(&import, array, "an array [items, tokens] of whole numbers", error);
    if (fine) {
        import.tokens = (size_t)array->shape[1];
        fine = find_mask(&import, error);
    }
    if (fine) {
        json_t *header = header_create("tokens");
        json_object_set_new(header, "tokenizer", json_string("imported"));
        json_object_set_new(header, "max_tokens", json_integer((json_int_t)import.tokens));
        fine = start_writing(&import, header, error) &&
               write_rows(&import, record_tensor("ids", DTYPE_I32, NULL, 1, (uint64_t)import.tokens), error);
    }
    if (fine) report(&import, "token ids");
    return finish(&import, fine, error);
}

bool import_pixels(const ImportRequest *request, Error *error) {
    ItemImport import = {.request = request, .dtype = DTYPE_F32, .tokens = 1};
    bool fine = start(&import, error);
    const Array *array = import.array;
    if (fine && (array->dimensions != 4 || !element_is_float(array->type) || array->shape[1] != 3 ||
                 !array->shape[2] || array->shape[2] != array->shape[3]))
        fine = shape_error(&import, array, "a float array [items, 3, size, size], normalised,", error);
    if (fine) {
        const uint64_t size = array->shape[2];
        json_t *header = header_create("pixels");
        import.width = (size_t)array_row_elements(array);
        json_object_set_new(header, "channels", json_integer(3));
        json_object_set_new(header, "size", json_integer((json_int_t)size));
        fine =
            start_writing(&import, header, error) &&
            write_rows(&import, record_tensor("pixels", DTYPE_F32, NULL, 3, (uint64_t)3, size, size), error);
    }
    if (fine) log_report("pixels of %zu items", name_table_count(import.catalogue.names));
    return finish(&import, fine, error);
}

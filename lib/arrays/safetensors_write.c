#include "arrays/array_target.h"
#include "core/file.h"
#include "core/memory.h"

#include <jansson.h>

/* The header as text, padded with spaces so that the tensors begin at a multiple of 8. To be freed. */
static char *build_header(const OutputArray *arrays, size_t count, uint64_t *length) {
    static const char *const types[DTYPE_COUNT] = {"F32", "F16", "BF16", "I32", "I64", "U8", "I8", "BOOL"};
    json_t *header = json_object();
    size_t at = 0;
    json_object_set_new(header, "__metadata__", json_pack("{s:s}", "format", "pt"));
    for (size_t i = 0; i < count; i++) {
        const OutputArray *array = &arrays[i];
        json_t *shape = json_array();
        for (int d = 0; d < array->dimensions; d++)
            json_array_append_new(shape, json_integer((json_int_t)array->shape[d]));
        const size_t end = at + output_array_bytes(array);
        json_object_set_new(header, array->name,
                            json_pack("{s:s, s:o, s:[I, I]}", "dtype", types[array->dtype], "shape", shape,
                                      "data_offsets", (json_int_t)at, (json_int_t)end));
        at = end;
    }
    char *text = json_dumps(header, JSON_COMPACT);
    json_decref(header);
    const size_t size = strlen(text), padded = (size + 7) / 8 * 8;
    text = memory_resize(text, padded, 1);
    memset(text + size, ' ', padded - size);
    *length = padded;
    return text;
}

static bool safetensors_write(OutputFile *file, const OutputArray *arrays, size_t count, ArraySupply supply,
                              Error *error) {
    uint64_t length;
    char *header = build_header(arrays, count, &length);
    bool fine = fwrite(&length, sizeof length, 1, output_file_stream(file)) == 1 &&
                fwrite(header, 1, (size_t)length, output_file_stream(file)) == length;
    if (!fine) error_set_errno(error, "cannot write %s", output_file_name(file));
    free(header);
    for (size_t i = 0; i < count && fine; i++)
        fine = output_array_put(file, &arrays[i], i, supply, error);
    return fine;
}

const ArrayTarget safetensors_target = {
    .ending = ".safetensors", .has_bf16 = true, .write = safetensors_write};

#include "convert/export.h"

#include "convert/export_parts.h"
#include "core/file.h"
#include "data/image_store.h"
#include "stream/reader.h"

#include <stdio.h>
#include <stdlib.h>

static ArrayWrite *array_write_for(const char *output, Error *error) {
    const char *ending = strrchr(output, '.');
    if (ending && !strcmp(ending, ".safetensors")) return safetensors_write;
    if (ending && !strcmp(ending, ".npz")) return npz_write;
    error_set(error, "%s: the name must end in .safetensors or .npz, which says what is written", output);
    return NULL;
}

bool changed_error(const char *input, Error *error) {
    return error_set(error, "%s: it cannot be read twice, or changed meanwhile; a file is needed, no pipe",
                     input);
}

bool export_keys(const char *output, const NameTable *keys, Error *error) {
    char *path;
    if (asprintf(&path, "%.*s.keys.tsv", (int)(strrchr(output, '.') - output), output) < 0) abort();
    OutputFile *file = output_file_open(path, error);
    free(path);
    if (!file) return false;
    for (size_t i = 0; i < name_table_count(keys); i++) {
        size_t size;
        const char *key = name_table_name(keys, i, &size);
        fwrite(key, 1, size, output_file_stream(file));
        putc('\n', output_file_stream(file));
    }
    return output_file_commit(file, error);
}

static bool export_stream(const char *input, const char *output, ArrayWrite *write, Error *error) {
    static const struct {
        const char *kind, *tensor;
    } kinds[] = {{"tokens", "ids"}, {"hidden", "hidden"}, {"items", "vector"}, {"pixels", "pixels"}};
    StreamReader *reader = stream_reader_open(input, error);
    if (!reader) return false;
    const char *kind = json_string_value(json_object_get(stream_reader_header(reader), "kind"));
    const char *tensor = NULL;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (!strcmp(kind, kinds[i].kind)) tensor = kinds[i].tensor;
    const bool tensors = !strcmp(kind, "model") || !strcmp(kind, "encoder");
    if (!tensors && !tensor) error_set(error, "%s: streams of kind '%.40s' cannot be exported", input, kind);
    stream_reader_close(reader);
    if (tensors) return export_tensors(input, output, write, error);
    return tensor && export_items(input, output, tensor, write, error);
}

bool export_file(const char *input, const char *output, Error *error) {
    ArrayWrite *write = array_write_for(output, error);
    if (!write) return false;
    return image_store_is_one(input) ? export_images(input, output, write, error)
                                     : export_stream(input, output, write, error);
}

#include "convert/export_parts.h"

#include "core/memory.h"

#include <stdlib.h>
#include <string.h>

bool changed_error(const char *input, Error *error) {
    return error_set(error, "%s: it cannot be read twice, or changed meanwhile; a file is needed, no pipe",
                     input);
}

static void write_keys(FILE *stream, const NameTable *keys) {
    for (size_t i = 0; i < name_table_count(keys); i++) {
        size_t size;
        const char *key = name_table_name(keys, i, &size);
        fwrite(key, 1, size, stream);
        putc('\n', stream);
    }
}

char *export_keys_path(const char *output) {
    return memory_format("%.*s.keys.tsv", (int)(strrchr(output, '.') - output), output);
}

bool export_with_keys(const ExportRequest *request, const OutputArray *arrays, size_t count,
                      ArraySupply supply, const NameTable *keys, Error *error) {
    char *keys_path = export_keys_path(request->output);
    OutputFile *file = output_file_open(request->output, error);
    OutputFile *keys_file = file ? output_file_open(keys_path, error) : NULL;
    free(keys_path);
    if (keys_file) write_keys(output_file_stream(keys_file), keys);
    if (keys_file && request->target->write(file, arrays, count, supply, error))
        return output_file_commit_pair(file, keys_file, error);
    output_file_abandon(file);
    output_file_abandon(keys_file);
    return false;
}

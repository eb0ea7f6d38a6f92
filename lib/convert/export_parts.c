#include "convert/export_parts.h"

#include "core/file.h"
#include "core/memory.h"

#include <stdlib.h>
#include <string.h>

bool changed_error(const char *input, Error *error) {
    return error_set(error, "%s: it cannot be read twice, or changed meanwhile; a file is needed, no pipe",
                     input);
}

static bool write_keys(OutputFile *file, const NameTable *keys, Error *error) {
    FILE *stream = output_file_stream(file);
    for (size_t i = 0; i < name_table_count(keys); i++) {
        size_t size;
        const char *key = name_table_name(keys, i, &size);
        fwrite(key, 1, size, stream);
        putc('\n', stream);
    }
    return output_file_flush(file, error);
}

char *export_keys_path(const char *output) {
    return memory_format("%.*s.keys.tsv", (int)(strrchr(output, '.') - output), output);
}

bool export_with_keys(const ExportRequest *request, const OutputArray *arrays, size_t count,
                      ArraySupply supply, const NameTable *keys, Error *error) {
    const char *output = request->output;
    char *path = export_keys_path(output);
    OutputFile *file = output_file_open(path, error);
    free(path);
    if (!file) return false;
    if (write_keys(file, keys, error) && request->target->write(output, arrays, count, supply, error))
        return output_file_commit(file, error);
    output_file_abandon(file);
    return false;
}

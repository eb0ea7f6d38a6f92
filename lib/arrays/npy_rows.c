#include "arrays/npy_rows.h"

#include "arrays/npy_header.h"
#include "core/memory.h"

struct NpyRows {
    OutputFile *file;
    size_t width, header_size;
    uint64_t count;
};

/* Its size is the same for any count of up to ten digits: NumPy fills it up to 128 bytes. */
static size_t make_header(uint64_t count, size_t width, char header[NPY_HEADER_LIMIT]) {
    return npy_header_write(DTYPE_F32, 2, (const uint64_t[]){count, width}, header);
}

NpyRows *npy_rows_open(const char *path, size_t width, Error *error) {
    char header[NPY_HEADER_LIMIT];
    OutputFile *output = output_file_open(path, error);
    if (!output) return NULL;
    if (!output_file_temporary(output)) {
        output_file_abandon(output);
        error_set(error, "%s: an array of vectors needs a regular file", file_display_name(path));
        return NULL;
    }
    NpyRows *file = memory_need(1, sizeof *file);
    *file = (NpyRows){output, width, make_header(0, width, header), 0};
    fwrite(header, 1, file->header_size, output_file_stream(output));
    return file;
}

void npy_rows_add(NpyRows *file, const float *rows, size_t count) {
    fwrite(rows, sizeof *rows, count * file->width, output_file_stream(file->file));
    file->count += count;
}

OutputFile *npy_rows_finish(NpyRows *file, Error *error) {
    char header[NPY_HEADER_LIMIT];
    OutputFile *output = file->file;
    FILE *stream = output_file_stream(output);
    const size_t size = make_header(file->count, file->width, header);
    bool fine =
        size == file->header_size || error_set(error, "%s: %llu vectors are more than its header can say",
                                               output_file_name(output), (unsigned long long)file->count);
    if (fine && (fseek(stream, 0, SEEK_SET) || fwrite(header, 1, size, stream) != size))
        fine = error_set_errno(error, "cannot write %s", output_file_name(output));
    free(file);
    if (fine) return output;
    output_file_abandon(output);
    return NULL;
}

void npy_rows_abandon(NpyRows *file) {
    if (!file) return;
    output_file_abandon(file->file);
    free(file);
}

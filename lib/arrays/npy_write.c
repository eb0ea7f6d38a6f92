#include "arrays/array_target.h"
#include "arrays/npy_header.h"

static bool write_npy(OutputFile *file, const OutputArray *array, ArraySupply supply, Error *error) {
    char header[NPY_HEADER_LIMIT];
    const size_t size = npy_header_write(array->dtype, array->dimensions, array->shape, header);
    if (fwrite(header, 1, size, output_file_stream(file)) != size)
        return error_set_errno(error, "cannot write %s", output_file_name(file));
    return output_array_put(file, array, 0, supply, error);
}

static bool npy_write(const char *path, const OutputArray *arrays, size_t count, ArraySupply supply,
                      Error *error) {
    if (count != 1)
        return error_set(error, "%s: a .npy holds one array, not %zu; write an .npz", path, count);
    OutputFile *file = output_file_open(path, error);
    if (!file) return false;
    if (write_npy(file, arrays, supply, error)) return output_file_commit(file, error);
    output_file_abandon(file);
    return false;
}

const ArrayTarget npy_target = {.ending = ".npy", .holds_one = true, .write = npy_write};

#include "arrays/array_target.h"
#include "arrays/npy_header.h"

static bool npy_write(OutputFile *file, const OutputArray *arrays, size_t count, ArraySupply supply,
                      Error *error) {
    char header[NPY_HEADER_LIMIT];
    if (count != 1)
        return error_set(error, "%s: a .npy holds one array, not %zu; write an .npz", output_file_name(file),
                         count);
    const size_t size = npy_header_write(arrays->dtype, arrays->dimensions, arrays->shape, header);
    if (fwrite(header, 1, size, output_file_stream(file)) != size)
        return error_set_errno(error, "cannot write %s", output_file_name(file));
    return output_array_put(file, arrays, 0, supply, error);
}

const ArrayTarget npy_target = {.ending = ".npy", .holds_one = true, .write = npy_write};

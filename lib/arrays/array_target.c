#include "arrays/array_target.h"

size_t output_array_bytes(const OutputArray *array) {
    size_t bytes = dtype_size(array->dtype);
    for (int i = 0; i < array->dimensions; i++)
        bytes *= (size_t)array->shape[i];
    return bytes;
}

bool output_array_put(OutputFile *file, const OutputArray *array, size_t index, ArraySupply supply,
                      Error *error) {
    for (size_t left = output_array_bytes(array); left > 0;) {
        const void *bytes;
        size_t size;
        if (!supply.next(supply.context, index, &bytes, &size, error)) return false;
        if (fwrite(bytes, 1, size, output_file_stream(file)) != size)
            return error_set_errno(error, "cannot write %s", output_file_name(file));
        left -= size;
    }
    return true;
}

bool array_target_write(const ArrayTarget *target, const char *path, const OutputArray *arrays, size_t count,
                        ArraySupply supply, Error *error) {
    OutputFile *file = output_file_open(path, error);
    if (!file) return false;
    if (target->write(file, arrays, count, supply, error)) return output_file_commit(file, error);
    output_file_abandon(file);
    return false;
}

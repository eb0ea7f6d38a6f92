/* Array files of every kind: safetensors, .npy, .npz, PyTorch's two formats, and indices of shards. */
#include "fuzz.h"

#include "arrays/array_file.h"

enum { MOST_ELEMENTS = 1 << 20 }; /* of an array that is read; a larger one is only described */

static void read_array(ArrayFile *file, const Array *array) {
    Error error;
    char text[ARRAY_TEXT];
    array_describe(array, text);
    if (array_elements(array) > MOST_ELEMENTS) return;
    ArrayReader *reader = array_reader_open(file, array, &error);
    if (!reader) return;
    for (uint64_t row = 0; row < array_rows(array); row++)
        if (!array_reader_next(reader, 1, &error)) break;
    array_reader_close(reader);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    Error error;
    ArrayFile *file = array_file_open(fuzz_file("arrays", bytes, size), &error);
    if (!file) return 0;
    for (size_t i = 0; i < array_file_count(file); i++)
        read_array(file, array_file_get(file, i));
    array_file_close(file);
    return 0;
}

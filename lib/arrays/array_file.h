/* Foreign files of named arrays behind one interface: safetensors (one file, or shards with an index),
 * NumPy's .npy and .npz, and PyTorch checkpoints (zip and the older format). A file is known by its content,
 * not by its name. Nothing in it is trusted, and nothing in it is executed. */
#ifndef ARRAYS_ARRAY_FILE_H
#define ARRAYS_ARRAY_FILE_H

#include "arrays/element.h"
#include "stream/record.h"

#include <jansson.h>

typedef struct ArrayFile ArrayFile;
typedef struct ArrayReader ArrayReader;

typedef struct Array {
    const char *name;
    ElementType type;
    int dimensions;
    uint64_t shape[TENSOR_MAX_DIMENSIONS];
} Array;

/* Reads the directory of arrays. `path` may also be a Hugging Face folder (model.safetensors, its index, or
 * pytorch_model.bin). */
ArrayFile *array_file_open(const char *path, Error *error);
void array_file_close(ArrayFile *file);
const char *array_file_path(const ArrayFile *file);

size_t array_file_count(const ArrayFile *file);
const Array *array_file_get(const ArrayFile *file, size_t index);

/* The array of this name; without one, NULL and a message that lists the names there are. */
const Array *array_file_need(const ArrayFile *file, const char *name, Error *error);

/* What lies beside the arrays and was passed over (optimizer state, …), as a list for a report; "" if nothing
 * does. */
const char *array_file_beside(const ArrayFile *file);

/* {"hash": …} of the file's bytes (of all shards in the order of their names), for provenance. */
json_t *array_file_content(const ArrayFile *file);

/* Elements in all; in one row, that is along all dimensions but the first. An array without dimensions is one
 * row of one element. */
uint64_t array_elements(const Array *array);
uint64_t array_rows(const Array *array);
uint64_t array_row_elements(const Array *array);

/* "f32 [3, 4]", for messages; the buffer is returned. */
enum { ARRAY_TEXT = 256 };
const char *array_describe(const Array *array, char text[ARRAY_TEXT]);

/* Reads the elements, row-major and little-endian, from the first row on. */
ArrayReader *array_reader_open(ArrayFile *file, const Array *array, Error *error);
void array_reader_close(ArrayReader *reader);

/* The next `rows` rows, not aligned; valid until the next call with this reader. NULL on error. */
const void *array_reader_next(ArrayReader *reader, uint64_t rows, Error *error);

#endif

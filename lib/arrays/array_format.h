/* What a container format must provide to be read through array_file.h. */
#ifndef ARRAYS_ARRAY_FORMAT_H
#define ARRAYS_ARRAY_FORMAT_H

#include "arrays/array_file.h"
#include "arrays/file_map.h"
#include "stream/content_hash.h"

typedef struct ArrayFormat {
    /* Adds every array with array_file_add, and keeps what it needs with array_file_set_state. */
    bool (*open)(ArrayFile *file, Error *error);
    /* Frees the state, which may be NULL; also after an `open` that failed. */
    void (*close)(void *state);
    /* A reader of array `index`, and its next `size` bytes, which begin at `offset` in the array. */
    void *(*reader_open)(ArrayFile *file, size_t index, Error *error);
    const void *(*reader_next)(void *reader, size_t offset, size_t size, Error *error);
    void (*reader_close)(void *reader);
    /* Of a format whose arrays lie in other files: adds the bytes of those to a hash; else NULL. */
    void (*hash_others)(const ArrayFile *file, ContentHash *hash);
} ArrayFormat;

extern const ArrayFormat safetensors_format, sharded_format, npy_format, npz_format, torch_zip_format,
    torch_legacy_format;

/* The bytes of the file. */
const FileMap *array_file_map(const ArrayFile *file);
void array_file_set_state(ArrayFile *file, void *state);
void *array_file_state(const ArrayFile *file);

/* Whether a name is UTF-8 without control characters, so that it can stand in a message and in JSON; and an
 * error when that of the next array is not. */
bool array_name_is_printable(const char *name, size_t size);
bool array_name_check(const ArrayFile *file, const char *name, size_t size, Error *error);

/* Adds an array with a copy of its name. A name that fails the check or is there already, more than
 * TENSOR_MAX_DIMENSIONS dimensions, and a size that no memory could hold are errors. */
bool array_file_add(ArrayFile *file, const char *name, size_t name_size, ElementType type, size_t dimensions,
                    const uint64_t *shape, Error *error);

/* Notes something beside the arrays (array_file_beside). */
void array_file_pass_over(ArrayFile *file, const char *name, size_t name_size);

/* Bytes of an array that was added. */
size_t array_bytes(const Array *array);

/* Adds the bytes of the file, or of all shards, to a hash. */
void array_file_hash(const ArrayFile *file, ContentHash *hash);

/* A file that has its arrays in itself, which an index of shards may name. */
ArrayFile *array_file_open_shard(const char *path, Error *error);

#endif

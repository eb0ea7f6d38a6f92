#include "arrays/array_file.h"

#include "arrays/array_format.h"
#include "arrays/zip_archive.h"
#include "core/file_kind.h"
#include "core/memory.h"
#include "core/name_table.h"
#include "stream/content_hash.h"

#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

struct ArrayFile {
    char *path;
    FileMap map;
    const ArrayFormat *format;
    void *state; /* the format's */
    NameTable *names;
    Array *arrays; /* by the numbers of their names */
    size_t capacity;
    char *beside;
};

struct ArrayReader {
    const ArrayFormat *format;
    const Array *array;
    void *reader; /* the format's */
    uint64_t next_row;
};

/* A checkpoint's archive holds "NAME/data.pkl", an .npz only arrays. */
static const ArrayFormat *find_zip_format(const char *path, Error *error) {
    ZipArchive *archive = zip_archive_open(path, error);
    if (!archive) return NULL;
    const ArrayFormat *format = NULL;
    for (size_t i = 0; i < zip_archive_count(archive) && format != &torch_zip_format; i++) {
        const char *name = zip_archive_name(archive, i);
        const char *last = name ? strrchr(name, '/') : NULL;
        const size_t length = name ? strlen(name) : 0;
        if (name && !strcmp(last ? last + 1 : name, "data.pkl")) format = &torch_zip_format;
        if (length > 4 && !strcmp(name + length - 4, ".npy")) format = &npz_format;
    }
    if (!format)
        error_set(error,
                  "%s: a zip file with neither data.pkl (a PyTorch checkpoint) nor .npy files (an .npz)",
                  path);
    zip_archive_close(archive);
    return format;
}

static const ArrayFormat *find_format(const char *path, const FileMap *map, Error *error) {
    static const unsigned char legacy_magic[] = {0x80, 2, 0x8a, 10, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20};
    const unsigned char *bytes = map->bytes;
    if (map->size == 0) {
        error_set(error, "%s: the file is empty", path);
        return NULL;
    }
    if (map->size >= 4 && (!memcmp(bytes, "PK\3\4", 4) || !memcmp(bytes, "PK\5\6", 4)))
        return find_zip_format(path, error);
    if (map->size >= 6 && !memcmp(bytes, "\x93NUMPY", 6)) return &npy_format;
    if (map->size >= sizeof legacy_magic && !memcmp(bytes, legacy_magic, sizeof legacy_magic))
        return &torch_legacy_format;
    const bool json_behind_length = map->size > 8 && (bytes[8] == '{' || bytes[8] == '[');
    if (bytes[0] == 0x80 && !json_behind_length) {
        error_set(error,
                  "%s: a bare pickle and no checkpoint of PyTorch; refused, nothing in it was executed",
                  path);
        return NULL;
    }
    const char *what = file_kind_describe(bytes, map->size < FILE_KIND_BYTES ? map->size : FILE_KIND_BYTES);
    const bool is_index = bytes[0] == '{',
               is_safetensors = json_behind_length && bytes[6] == 0 && bytes[7] == 0;
    if (what && !is_index && !is_safetensors) {
        error_set(error, "%s: neither arrays nor weights of another program, but %s", path, what);
        return NULL;
    }
    if (map->size >= 8 && bytes[6] == 0 && bytes[7] == 0) return &safetensors_format;
    if (bytes[0] == '{') return &sharded_format;
    if (json_behind_length) return &safetensors_format;
    error_set(error, "%s: not a safetensors file (or its index), .npz, .npy or PyTorch checkpoint", path);
    return NULL;
}

static ArrayFile *open_file(const char *path, bool shard, Error *error) {
    ArrayFile *file = memory_need(1, sizeof *file);
    file->path = memory_copy_text(path, strlen(path));
    file->names = name_table_create();
    file->beside = memory_copy_text("", 0);
    bool fine = file_map_open(&file->map, path, error);
    if (fine) fine = (file->format = find_format(path, &file->map, error)) != NULL;
    if (fine && shard && file->format->hash_others)
        fine = error_set(error, "%s: an index of shards where a shard is needed", path);
    if (fine && file->format->open(file, error)) return file;
    array_file_close(file);
    return NULL;
}

ArrayFile *array_file_open_shard(const char *path, Error *error) {
    return open_file(path, true, error);
}

static bool is_folder(const char *path) {
    struct stat status;
    return !stat(path, &status) && S_ISDIR(status.st_mode);
}

/* The weights in a Hugging Face folder, in the order of preference of its own library. */
static ArrayFile *open_folder(const char *folder, Error *error) {
    static const char *const names[] = {"model.safetensors", "model.safetensors.index.json",
                                        "pytorch_model.bin", "pytorch_model.bin.index.json"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char *path = memory_format("%s/%s", folder, names[i]);
        const bool exists = !access(path, F_OK);
        ArrayFile *file = exists ? open_file(path, false, error) : NULL;
        free(path);
        if (exists) return file;
    }
    error_set(error, "%s: the folder holds none of model.safetensors, pytorch_model.bin and their indexes",
              folder);
    return NULL;
}

ArrayFile *array_file_open(const char *path, Error *error) {
    return is_folder(path) ? open_folder(path, error) : open_file(path, false, error);
}

void array_file_close(ArrayFile *file) {
    if (!file) return;
    if (file->format) file->format->close(file->state);
    file_map_close(&file->map);
    name_table_destroy(file->names);
    free(file->arrays);
    free(file->beside);
    free(file->path);
    free(file);
}

const char *array_file_path(const ArrayFile *file) {
    return file->path;
}

const FileMap *array_file_map(const ArrayFile *file) {
    return &file->map;
}

void array_file_set_state(ArrayFile *file, void *state) {
    file->state = state;
}

void *array_file_state(const ArrayFile *file) {
    return file->state;
}

size_t array_file_count(const ArrayFile *file) {
    return name_table_count(file->names);
}

const Array *array_file_get(const ArrayFile *file, size_t index) {
    return &file->arrays[index];
}

bool array_name_is_printable(const char *name, size_t size) {
    json_t *text = json_stringn(name, size);
    bool fine = text != NULL && size > 0;
    json_decref(text);
    for (size_t i = 0; i < size; i++)
        fine = fine && (unsigned char)name[i] >= ' ' && name[i] != 0x7f;
    return fine;
}

bool array_name_check(const ArrayFile *file, const char *name, size_t size, Error *error) {
    return array_name_is_printable(name, size) ||
           error_set(error, "%s: the name of array %zu is empty or no printable UTF-8", file->path,
                     array_file_count(file) + 1);
}

bool array_file_add(ArrayFile *file, const char *name, size_t name_size, ElementType type, size_t dimensions,
                    const uint64_t *shape, Error *error) {
    if (!array_name_check(file, name, name_size, error)) return false;
    const int shown = name_size > 200 ? 200 : (int)name_size;
    if (dimensions > TENSOR_MAX_DIMENSIONS)
        return error_set(error, "%s: %.*s has %zu dimensions; at most %d are supported", file->path, shown,
                         name, dimensions, TENSOR_MAX_DIMENSIONS);
    Array array = {.type = type, .dimensions = (int)dimensions};
    /* Of the sizes that are not 0, so that no later product of some of them overflows either. */
    uint64_t bytes = element_size(type);
    for (size_t i = 0; i < dimensions; i++) {
        array.shape[i] = shape[i];
        if (__builtin_mul_overflow(bytes, shape[i] ? shape[i] : 1, &bytes) || bytes > PTRDIFF_MAX)
            return error_set(error, "%s: the sizes of %.*s are absurd", file->path, shown, name);
    }
    bool added;
    const size_t number = name_table_add(file->names, name, name_size, &added);
    if (!added) return error_set(error, "%s: %.*s is there twice", file->path, shown, name);
    file->arrays = memory_grow(file->arrays, &file->capacity, number + 1, sizeof *file->arrays);
    array.name = name_table_name(file->names, number, NULL);
    file->arrays[number] = array;
    return true;
}

void array_file_pass_over(ArrayFile *file, const char *name, size_t name_size) {
    enum { LIMIT = 400 };
    const size_t before = strlen(file->beside);
    if (before > LIMIT || !array_name_is_printable(name, name_size)) return;
    char *longer =
        memory_format("%s%s%.*s%s", file->beside, before ? ", " : "", name_size > 60 ? 60 : (int)name_size,
                      name, before + name_size > LIMIT ? ", …" : "");
    free(file->beside);
    file->beside = longer;
}

const char *array_file_beside(const ArrayFile *file) {
    return file->beside;
}

const Array *array_file_need(const ArrayFile *file, const char *name, Error *error) {
    const size_t number = name_table_find(file->names, name, strlen(name));
    if (number != SIZE_MAX) return &file->arrays[number];
    char listed[400] = "";
    size_t used = 0;
    for (size_t i = 0; i < array_file_count(file) && used + 1 < sizeof listed; i++)
        used += (size_t)snprintf(listed + used, sizeof listed - used, "%s%s", i ? ", " : "",
                                 file->arrays[i].name);
    error_set(error, "%s: no array '%s'; it holds %s%s", file->path, name, used ? listed : "none",
              used >= sizeof listed ? "…" : "");
    return NULL;
}

void array_file_hash(const ArrayFile *file, ContentHash *hash) {
    content_hash_update(hash, file->map.bytes, file->map.size);
    if (file->format->hash_others) file->format->hash_others(file, hash);
}

json_t *array_file_content(const ArrayFile *file) {
    ContentHash *hash = content_hash_create();
    array_file_hash(file, hash);
    json_t *content = content_of_hash(hash);
    content_hash_destroy(hash);
    return content;
}

uint64_t array_rows(const Array *array) {
    return array->dimensions ? array->shape[0] : 1;
}

uint64_t array_row_elements(const Array *array) {
    uint64_t elements = 1;
    for (int i = 1; i < array->dimensions; i++)
        elements *= array->shape[i];
    return elements;
}

uint64_t array_elements(const Array *array) {
    return array_rows(array) * array_row_elements(array);
}

size_t array_bytes(const Array *array) {
    return (size_t)array_elements(array) * element_size(array->type);
}

const char *array_describe(const Array *array, char text[ARRAY_TEXT]) {
    size_t used = (size_t)snprintf(text, ARRAY_TEXT, "%s [", element_name(array->type));
    for (int i = 0; i < array->dimensions; i++)
        used +=
            (size_t)snprintf(text + used, ARRAY_TEXT - used, "%s%" PRIu64, i ? ", " : "", array->shape[i]);
    snprintf(text + used, ARRAY_TEXT - used, "]");
    return text;
}

ArrayReader *array_reader_open(ArrayFile *file, const Array *array, Error *error) {
    void *inner = file->format->reader_open(file, (size_t)(array - file->arrays), error);
    if (!inner) return NULL;
    ArrayReader *reader = memory_need(1, sizeof *reader);
    *reader = (ArrayReader){file->format, array, inner, 0};
    return reader;
}

void array_reader_close(ArrayReader *reader) {
    if (!reader) return;
    reader->format->reader_close(reader->reader);
    free(reader);
}

const void *array_reader_next(ArrayReader *reader, uint64_t rows, Error *error) {
    const size_t row_bytes = (size_t)array_row_elements(reader->array) * element_size(reader->array->type);
    const size_t offset = (size_t)reader->next_row * row_bytes;
    if (rows > array_rows(reader->array) - reader->next_row) {
        error_set(error, "%s has only %" PRIu64 " rows", reader->array->name, array_rows(reader->array));
        return NULL;
    }
    reader->next_row += rows;
    return reader->format->reader_next(reader->reader, offset, (size_t)rows * row_bytes, error);
}

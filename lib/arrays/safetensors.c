/* safetensors: the length of a JSON header in 8 bytes, the header, and the tensors' bytes, which tile the
 * rest of the file without a gap (https://github.com/huggingface/safetensors). Shards: a JSON file whose
 * "weight_map" says in which file beside it each tensor lies. */
#include "arrays/array_format.h"
#include "core/memory.h"

#include <inttypes.h>

enum { LENGTH_SIZE = 8, MAX_HEADER = 100 << 20 };

typedef struct Extent {
    uint64_t begin, end; /* in the file */
} Extent;

typedef struct SafetensorsFile {
    Extent *extents; /* by array */
    size_t capacity;
} SafetensorsFile;

static const struct {
    const char *name;
    ElementType type;
} type_names[] = {
    {"F64", ELEMENT_F64},   {"F32", ELEMENT_F32}, {"F16", ELEMENT_F16}, {"BF16", ELEMENT_BF16},
    {"I64", ELEMENT_I64},   {"I32", ELEMENT_I32}, {"I16", ELEMENT_I16}, {"I8", ELEMENT_I8},
    {"U64", ELEMENT_U64},   {"U32", ELEMENT_U32}, {"U16", ELEMENT_U16}, {"U8", ELEMENT_U8},
    {"BOOL", ELEMENT_BOOL},
};

static bool find_type(const char *name, ElementType *type) {
    for (size_t i = 0; name && i < sizeof type_names / sizeof *type_names; i++)
        if (!strcmp(type_names[i].name, name)) {
            *type = type_names[i].type;
            return true;
        }
    return false;
}

/* A list of at most `limit` whole numbers that are not negative. */
static bool read_sizes(const json_t *list, uint64_t *sizes, size_t limit, size_t *count) {
    *count = json_array_size(list);
    if (!json_is_array(list) || *count > limit) return false;
    for (size_t i = 0; i < *count; i++) {
        const json_t *size = json_array_get(list, i);
        if (!json_is_integer(size) || json_integer_value(size) < 0) return false;
        sizes[i] = (uint64_t)json_integer_value(size);
    }
    return true;
}

static bool add_tensor(ArrayFile *file, const char *name, const json_t *entry, uint64_t data, Error *error) {
    SafetensorsFile *state = array_file_state(file);
    const FileMap *map = array_file_map(file);
    const char *path = array_file_path(file);
    const char *type_name = json_string_value(json_object_get(entry, "dtype"));
    ElementType type;
    uint64_t shape[TENSOR_MAX_DIMENSIONS], offsets[2];
    size_t dimensions, count;
    if (!array_name_check(file, name, strlen(name), error)) return false;
    if (!find_type(type_name, &type))
        return error_set(error, "%s: %.200s has dtype %.40s, which is not supported", path, name,
                         type_name && array_name_is_printable(type_name, strlen(type_name)) ? type_name
                                                                                            : "(none)");
    if (!read_sizes(json_object_get(entry, "shape"), shape, TENSOR_MAX_DIMENSIONS, &dimensions))
        return error_set(error, "%s: the shape of %.200s is no list of at most %d sizes", path, name,
                         TENSOR_MAX_DIMENSIONS);
    if (!read_sizes(json_object_get(entry, "data_offsets"), offsets, 2, &count) || count != 2)
        return error_set(error, "%s: %.200s has no two data_offsets", path, name);
    if (!array_file_add(file, name, strlen(name), type, dimensions, shape, error)) return false;

    const size_t index = array_file_count(file) - 1;
    const uint64_t bytes = array_bytes(array_file_get(file, index));
    if (offsets[0] > offsets[1] || offsets[1] > map->size - data)
        return error_set(error, "%s: the bytes of %.200s lie outside of the file; is it cut short?", path,
                         name);
    if (offsets[1] - offsets[0] != bytes)
        return error_set(error, "%s: %.200s has %" PRIu64 " bytes where its shape needs %" PRIu64, path, name,
                         offsets[1] - offsets[0], bytes);
    state->extents = memory_grow(state->extents, &state->capacity, index + 1, sizeof *state->extents);
    state->extents[index] = (Extent){data + offsets[0], data + offsets[1]};
    return true;
}

static int compare_extents(const void *left, const void *right) {
    const Extent *a = left, *b = right;
    if (a->begin != b->begin) return a->begin < b->begin ? -1 : 1;
    return (a->end > b->end) - (a->end < b->end);
}

/* The format wants every byte after the header to belong to exactly one tensor. */
static bool check_tiling(const ArrayFile *file, uint64_t data, Error *error) {
    const SafetensorsFile *state = array_file_state(file);
    const size_t count = array_file_count(file);
    Extent *sorted = memory_need(count, sizeof *sorted);
    if (count) memcpy(sorted, state->extents, count * sizeof *sorted);
    qsort(sorted, count, sizeof *sorted, compare_extents);
    uint64_t at = data;
    bool fine = true;
    for (size_t i = 0; i < count && fine; i++) {
        fine = sorted[i].begin == at;
        at = sorted[i].end;
    }
    free(sorted);
    return (fine && at == array_file_map(file)->size) ||
           error_set(error, "%s: tensors overlap, or bytes belong to none", array_file_path(file));
}

static bool safetensors_open(ArrayFile *file, Error *error) {
    const FileMap *map = array_file_map(file);
    const char *path = array_file_path(file);
    array_file_set_state(file, memory_need(1, sizeof(SafetensorsFile)));
    uint64_t length;
    memcpy(&length, map->bytes, LENGTH_SIZE);
    if (length < 2 || length > MAX_HEADER || length > map->size - LENGTH_SIZE)
        return error_set(error, "%s: a header of %" PRIu64 " bytes in a file of %zu; is it cut short?", path,
                         length, map->size);
    json_error_t problem;
    json_t *header =
        json_loadb((const char *)map->bytes + LENGTH_SIZE, (size_t)length, JSON_REJECT_DUPLICATES, &problem);
    if (!header) return error_set(error, "%s: the header is no valid JSON (%s)", path, problem.text);
    bool fine = json_is_object(header) || error_set(error, "%s: the header is no JSON object", path);
    const char *name;
    json_t *entry;
    if (fine) json_object_foreach(header, name, entry) {
            if (!strcmp(name, "__metadata__")) continue;
            if (!(fine = add_tensor(file, name, entry, LENGTH_SIZE + length, error))) break;
        }
    json_decref(header);
    return fine && check_tiling(file, LENGTH_SIZE + length, error);
}

static void safetensors_close(void *state) {
    SafetensorsFile *own = state;
    if (own) free(own->extents);
    free(own);
}

typedef struct MappedReader {
    const unsigned char *bytes;
} MappedReader;

static void *mapped_reader_open(ArrayFile *file, size_t index, Error *error) {
    (void)error;
    const SafetensorsFile *state = array_file_state(file);
    MappedReader *reader = memory_need(1, sizeof *reader);
    reader->bytes = array_file_map(file)->bytes + state->extents[index].begin;
    return reader;
}

static const void *mapped_reader_next(void *reader, size_t offset, size_t size, Error *error) {
    (void)size, (void)error;
    return ((const MappedReader *)reader)->bytes + offset;
}

const ArrayFormat safetensors_format = {
    .open = safetensors_open,
    .close = safetensors_close,
    .reader_open = mapped_reader_open,
    .reader_next = mapped_reader_next,
    .reader_close = free,
};

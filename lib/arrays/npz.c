/* NumPy's .npy (a header of Python literals, then the elements) and .npz (a zip file of .npy). */
#include "arrays/array_format.h"
#include "arrays/npy_header.h"
#include "arrays/zip_archive.h"
#include "core/memory.h"

#include <inttypes.h>

typedef struct NpyPlace {
    size_t entry; /* in the archive */
    size_t header_size;
    bool column_major, big_endian;
} NpyPlace;

typedef struct NpzFile {
    ZipArchive *archive; /* NULL for a bare .npy */
    NpyPlace *places;    /* by array */
    size_t capacity;
} NpzFile;

static bool add_array(ArrayFile *file, const char *name, size_t name_size, size_t entry,
                      const NpyHeader *header, uint64_t content_size, Error *error) {
    NpzFile *state = array_file_state(file);
    if (!array_file_add(file, name, name_size, header->type, header->dimensions, header->shape, error))
        return false;
    const size_t index = array_file_count(file) - 1;
    const Array *array = array_file_get(file, index);
    if (header->size + (uint64_t)array_bytes(array) != content_size)
        return error_set(error, "%s: %s has %" PRIu64 " bytes where its shape needs %" PRIu64,
                         array_file_path(file), array->name, content_size - header->size,
                         (uint64_t)array_bytes(array));
    state->places = memory_grow(state->places, &state->capacity, index + 1, sizeof *state->places);
    state->places[index] = (NpyPlace){entry, header->size, header->column_major && header->dimensions > 1,
                                      header->big_endian && element_size(header->type) > 1};
    return true;
}

static bool npy_open(ArrayFile *file, Error *error) {
    const FileMap *map = array_file_map(file);
    array_file_set_state(file, memory_need(1, sizeof(NpzFile)));
    NpyHeader header;
    if (!npy_header_parse(map->bytes, map->size, &header, error))
        return error_prefix(error, "%s: ", array_file_path(file));
    /* A lone array has no name of its own; it is known by the name that np.savez gives to the first. */
    return add_array(file, "arr_0", 5, 0, &header, map->size, error);
}

static bool add_entry(ArrayFile *file, ZipArchive *archive, const ZipEntry *entry, size_t index,
                      Error *error) {
    unsigned char head[NPY_HEADER_LIMIT];
    const size_t size = entry->size < sizeof head ? (size_t)entry->size : sizeof head;
    ZipReader *reader = zip_reader_open(archive, index, error);
    if (!reader) return false;
    const bool fine = zip_reader_read(reader, head, size, error);
    zip_reader_close(reader);
    NpyHeader header;
    if (!fine) return false;
    if (!npy_header_parse(head, size, &header, error))
        return error_prefix(error, "%s: %s: ", array_file_path(file), entry->name);
    return add_array(file, entry->name, strlen(entry->name) - 4, index, &header, entry->size, error);
}

static bool npz_open(ArrayFile *file, Error *error) {
    NpzFile *state = memory_need(1, sizeof *state);
    array_file_set_state(file, state);
    state->archive = zip_archive_open(array_file_path(file), error);
    if (!state->archive) return false;
    for (size_t i = 0; i < zip_archive_count(state->archive); i++) {
        ZipEntry entry;
        if (!zip_archive_entry(state->archive, i, &entry, error))
            return error_prefix(error, "%s: ", array_file_path(file));
        const size_t length = strlen(entry.name);
        if (length <= 4 || strcmp(entry.name + length - 4, ".npy"))
            array_file_pass_over(file, entry.name, length);
        else if (!add_entry(file, state->archive, &entry, i, error))
            return false;
    }
    return true;
}

static void npz_close(void *state) {
    NpzFile *own = state;
    if (!own) return;
    zip_archive_close(own->archive);
    free(own->places);
    free(own);
}

typedef struct NpyReader {
    const Array *array;
    NpyPlace place;
    ZipReader *zip;             /* NULL: `bytes` is the whole array */
    const unsigned char *bytes; /* of a mapped .npy, or of `whole` */
    unsigned char *whole;       /* the array in row-major order, when the file has another */
    unsigned char *buffer;      /* what the last call returned */
    size_t buffer_size;
} NpyReader;

static void npy_reader_close(void *reader) {
    NpyReader *own = reader;
    zip_reader_close(own->zip);
    free(own->whole);
    free(own->buffer);
    free(own);
}

/* `in`, in which the first index runs fastest, to `out`, in which the last one does. */
static void to_row_major(const Array *array, const unsigned char *in, unsigned char *out) {
    const size_t size = element_size(array->type), count = (size_t)array_elements(array);
    uint64_t index[TENSOR_MAX_DIMENSIONS] = {0}, stride[TENSOR_MAX_DIMENSIONS], from = 0;
    uint64_t product = 1;
    for (int i = 0; i < array->dimensions; i++) {
        stride[i] = product;
        product *= array->shape[i];
    }
    for (size_t element = 0; element < count; element++) {
        memcpy(out + element * size, in + from * size, size);
        for (int i = array->dimensions - 1; i >= 0; i--) {
            from += stride[i];
            if (++index[i] < array->shape[i]) break;
            from -= stride[i] * array->shape[i];
            index[i] = 0;
        }
    }
}

static void swap_bytes(unsigned char *bytes, size_t count, size_t size) {
    for (size_t i = 0; i < count; i++, bytes += size)
        for (size_t j = 0; j < size / 2; j++) {
            const unsigned char byte = bytes[j];
            bytes[j] = bytes[size - 1 - j];
            bytes[size - 1 - j] = byte;
        }
}

/* The next bytes as they stand in the file. */
static const unsigned char *read_raw(NpyReader *reader, size_t offset, size_t size, Error *error) {
    const size_t total = array_bytes(reader->array);
    if (!reader->zip && !reader->place.big_endian) return reader->bytes + offset;
    if (size > reader->buffer_size) {
        free(reader->buffer);
        reader->buffer = memory_allocate(size, 1, error);
        reader->buffer_size = reader->buffer ? size : 0;
        if (!reader->buffer) return NULL;
    }
    if (!reader->buffer && !(reader->buffer = memory_allocate(1, 1, error))) return NULL;
    if (!reader->zip) {
        if (size) memcpy(reader->buffer, reader->bytes + offset, size);
    } else if (!zip_reader_read(reader->zip, reader->buffer, size, error) ||
               (offset + size == total && !zip_reader_finish(reader->zip, error))) {
        return NULL;
    }
    if (reader->place.big_endian) {
        const size_t element = element_size(reader->array->type);
        swap_bytes(reader->buffer, size / element, element);
    }
    return reader->buffer;
}

static bool start_reading(NpyReader *reader, ArrayFile *file, Error *error) {
    const NpzFile *state = array_file_state(file);
    unsigned char header[NPY_HEADER_LIMIT];
    if (state->archive) {
        reader->zip = zip_reader_open(state->archive, reader->place.entry, error);
        if (!reader->zip || !zip_reader_read(reader->zip, header, reader->place.header_size, error))
            return false;
    } else {
        reader->bytes = array_file_map(file)->bytes + reader->place.header_size;
    }
    if (!reader->place.column_major) return true;
    const unsigned char *raw = read_raw(reader, 0, array_bytes(reader->array), error);
    if (!raw || !(reader->whole = memory_allocate(array_bytes(reader->array), 1, error))) return false;
    to_row_major(reader->array, raw, reader->whole);
    reader->bytes = reader->whole;
    zip_reader_close(reader->zip);
    reader->zip = NULL;
    reader->place.big_endian = false;
    return true;
}

static void *npy_reader_open(ArrayFile *file, size_t index, Error *error) {
    const NpzFile *state = array_file_state(file);
    NpyReader *reader = memory_need(1, sizeof *reader);
    reader->array = array_file_get(file, index);
    reader->place = state->places[index];
    if (start_reading(reader, file, error)) return reader;
    npy_reader_close(reader);
    return NULL;
}

static const void *npy_reader_next(void *reader, size_t offset, size_t size, Error *error) {
    return read_raw(reader, offset, size, error);
}

const ArrayFormat npy_format = {
    .open = npy_open,
    .close = npz_close,
    .reader_open = npy_reader_open,
    .reader_next = npy_reader_next,
    .reader_close = npy_reader_close,
};
const ArrayFormat npz_format = {
    .open = npz_open,
    .close = npz_close,
    .reader_open = npy_reader_open,
    .reader_next = npy_reader_next,
    .reader_close = npy_reader_close,
};

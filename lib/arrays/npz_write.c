/* .npz through libzip, which pulls the arrays one after the other as it writes, and writes into a file of
 * ours, so that the archive appears when it is complete, like every output. */
#include "arrays/array_target.h"
#include "arrays/npy_header.h"
#include "core/memory.h"
#include <errno.h>

#include <zip.h>

/* One .npy: its header, then what is supplied. */
typedef struct Entry {
    const OutputArray *array;
    size_t index;
    ArraySupply supply;
    Error *failure; /* of the supply; its message is more telling than libzip's */
    bool *failed;
    char header[NPY_HEADER_LIMIT];
    size_t header_size;
    const char *piece; /* what is still to be given of the header or the last supply */
    size_t piece_left, left;
    zip_error_t error;
} Entry;

static zip_int64_t read_entry(Entry *entry, char *out, zip_uint64_t size) {
    zip_uint64_t done = 0;
    while (done < size && (entry->piece_left || entry->left)) {
        if (!entry->piece_left) {
            const void *bytes;
            if (!entry->supply.next(entry->supply.context, entry->index, &bytes, &entry->piece_left,
                                    entry->failure)) {
                *entry->failed = true;
                zip_error_set(&entry->error, ZIP_ER_READ, 0);
                return -1;
            }
            entry->piece = bytes;
            entry->left -= entry->piece_left;
        }
        const size_t now = entry->piece_left < size - done ? entry->piece_left : (size_t)(size - done);
        memcpy(out + done, entry->piece, now);
        entry->piece += now;
        entry->piece_left -= now;
        done += now;
    }
    return (zip_int64_t)done;
}

static zip_int64_t entry_source(void *context, void *data, zip_uint64_t size, zip_source_cmd_t command) {
    Entry *entry = context;
    switch (command) {
    case ZIP_SOURCE_OPEN:
        entry->piece = entry->header;
        entry->piece_left = entry->header_size;
        entry->left = output_array_bytes(entry->array);
        return 0;
    case ZIP_SOURCE_READ:
        return read_entry(entry, data, size);
    case ZIP_SOURCE_CLOSE:
    case ZIP_SOURCE_FREE:
        return 0;
    case ZIP_SOURCE_STAT: {
        zip_stat_t *status = data;
        zip_stat_init(status);
        status->valid = ZIP_STAT_SIZE;
        status->size = entry->header_size + output_array_bytes(entry->array);
        return sizeof *status;
    }
    case ZIP_SOURCE_ERROR:
        return zip_error_to_data(&entry->error, data, size);
    case ZIP_SOURCE_SUPPORTS:
        return zip_source_make_command_bitmap(ZIP_SOURCE_OPEN, ZIP_SOURCE_READ, ZIP_SOURCE_CLOSE,
                                              ZIP_SOURCE_STAT, ZIP_SOURCE_ERROR, ZIP_SOURCE_FREE,
                                              ZIP_SOURCE_SUPPORTS, -1);
    default:
        zip_error_set(&entry->error, ZIP_ER_OPNOTSUPP, 0);
        return -1;
    }
}

/* The archive: an empty one that is written. */
typedef struct Target {
    FILE *stream;
    zip_uint64_t at, size;
    zip_error_t error;
} Target;

static zip_int64_t write_target(Target *target, const void *data, zip_uint64_t size) {
    if (fwrite(data, 1, size, target->stream) != size) {
        zip_error_set(&target->error, ZIP_ER_WRITE, errno);
        return -1;
    }
    target->at += size;
    if (target->at > target->size) target->size = target->at;
    return (zip_int64_t)size;
}

static zip_int64_t seek_target(Target *target, void *data, zip_uint64_t size) {
    const zip_int64_t to =
        zip_source_seek_compute_offset(target->at, target->size, data, size, &target->error);
    if (to < 0) return -1;
    if (fseeko(target->stream, to, SEEK_SET)) {
        zip_error_set(&target->error, ZIP_ER_SEEK, errno);
        return -1;
    }
    target->at = (zip_uint64_t)to;
    return 0;
}

static zip_int64_t target_source(void *context, void *data, zip_uint64_t size, zip_source_cmd_t command) {
    Target *target = context;
    switch (command) {
    case ZIP_SOURCE_WRITE:
        return write_target(target, data, size);
    case ZIP_SOURCE_SEEK_WRITE:
        return seek_target(target, data, size);
    case ZIP_SOURCE_TELL_WRITE:
        return (zip_int64_t)target->at;
    case ZIP_SOURCE_STAT:
        zip_stat_init(data);
        ((zip_stat_t *)data)->valid = ZIP_STAT_SIZE;
        ((zip_stat_t *)data)->size = 0;
        return sizeof(zip_stat_t);
    case ZIP_SOURCE_ERROR:
        return zip_error_to_data(&target->error, data, size);
    case ZIP_SOURCE_SUPPORTS:
        return ZIP_SOURCE_SUPPORTS_WRITABLE;
    case ZIP_SOURCE_BEGIN_WRITE:
    case ZIP_SOURCE_COMMIT_WRITE:
    case ZIP_SOURCE_ROLLBACK_WRITE:
    case ZIP_SOURCE_OPEN:
    case ZIP_SOURCE_READ:
    case ZIP_SOURCE_CLOSE:
    case ZIP_SOURCE_FREE:
        return 0;
    default:
        zip_error_set(&target->error, ZIP_ER_OPNOTSUPP, 0);
        return -1;
    }
}

static bool add_entry(zip_t *zip, Entry *entry, Error *error) {
    char *name = memory_format("%s.npy", entry->array->name);
    zip_source_t *source = zip_source_function(zip, entry_source, entry);
    const zip_int64_t index = source ? zip_file_add(zip, name, source, ZIP_FL_ENC_UTF_8) : -1;
    free(name);
    if (index < 0) {
        zip_source_free(source);
        return error_set(error, "cannot add %s to the .npz (%s)", entry->array->name, zip_strerror(zip));
    }
    /* Stored, as np.savez does, and with a fixed time, so that the same arrays make the same bytes. */
    const zip_uint16_t first_of_1980 = 1 << 5 | 1;
    zip_set_file_compression(zip, (zip_uint64_t)index, ZIP_CM_STORE, 0);
    zip_file_set_dostime(zip, (zip_uint64_t)index, 0, first_of_1980, 0);
    return true;
}

static zip_t *open_target(Target *target, Error *error) {
    zip_error_t problem;
    zip_error_init(&problem);
    zip_source_t *source = zip_source_function_create(target_source, target, &problem);
    zip_t *zip = source ? zip_open_from_source(source, ZIP_CREATE | ZIP_TRUNCATE, &problem) : NULL;
    if (!zip) {
        zip_source_free(source);
        error_set(error, "cannot start an .npz (%s)", zip_error_strerror(&problem));
    }
    zip_error_fini(&problem);
    return zip;
}

static bool write_archive(FILE *stream, Entry *entries, size_t count, Error *error) {
    Target target = {.stream = stream};
    zip_error_init(&target.error);
    zip_t *zip = open_target(&target, error);
    bool fine = zip != NULL, failed = false;
    for (size_t i = 0; i < count && fine; i++) {
        entries[i].failure = error;
        entries[i].failed = &failed;
        fine = add_entry(zip, &entries[i], error);
    }
    if (fine && zip_close(zip)) {
        fine = failed ? false : error_set(error, "cannot write the .npz (%s)", zip_strerror(zip));
        zip_discard(zip);
    } else if (!fine && zip) {
        zip_discard(zip);
    }
    zip_error_fini(&target.error);
    return fine;
}

static bool npz_write(OutputFile *file, const OutputArray *arrays, size_t count, ArraySupply supply,
                      Error *error) {
    Entry *entries = memory_need(count, sizeof *entries);
    for (size_t i = 0; i < count; i++) {
        entries[i].array = &arrays[i];
        entries[i].index = i;
        entries[i].supply = supply;
        zip_error_init(&entries[i].error);
        entries[i].header_size =
            npy_header_write(arrays[i].dtype, arrays[i].dimensions, arrays[i].shape, entries[i].header);
    }
    const bool fine = write_archive(output_file_stream(file), entries, count, error) ||
                      error_prefix(error, "%s: ", output_file_name(file));
    free(entries);
    return fine;
}

const ArrayTarget npz_target = {.ending = ".npz", .write = npz_write};

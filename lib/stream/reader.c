#include "stream/reader.h"

#include "core/file.h"
#include "core/file_kind.h"
#include "core/memory.h"
#include "stream/content_hash.h"
#include "stream/msgpack_json.h"
#include "stream/msgpack_scan.h"
#include "stream/read_ahead.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Room for the next bytes when nothing larger is on its way. */
enum { CHUNK_BYTES = 1 << 17 };

typedef enum ReaderState { READER_RECORDS, READER_AFTER_END, READER_DONE, READER_FAILED } ReaderState;

struct StreamReader {
    char *name;
    ReadAhead *input;
    unsigned char
        *buffer; /* decompressed bytes: those of the last object, and from `start` on what follows */
    size_t capacity, start, used;
    msgpack_unpacked unpacked; /* the last object; its texts and data lie in the buffer */
    ContentHash *hash;         /* of the segment so far */
    json_t *header;
    json_t *content; /* of the segments that ended */
    uint64_t count, segment_count;
    ReaderState state;
    Error problem; /* once failed */
};

static const ScanLimits map_limits = {
    .bytes = 64 << 20,
    .elements = 1 << 20,
    .text = 64 << 20,
    .data_depth = SCAN_MAX_DEPTH + 1,
    .depth = SCAN_MAX_DEPTH,
};

/* [key, [[name, dtype, [shape …], data or [part …]] …]] */
static const uint32_t record_members[] = {2, RECORD_MAX_TENSORS, 4, 1024};
static const ScanLimits record_limits = {
    .bytes = UINT64_MAX / 2,
    .elements = 1 << 16,
    .text = RECORD_MAX_KEY,
    .data_depth = 3,
    .depth = sizeof record_members / sizeof *record_members,
    .members = record_members,
};

static bool is_map(unsigned char byte) {
    return (byte & 0xf0) == 0x80 || byte == 0xde || byte == 0xdf;
}

static bool is_array(unsigned char byte) {
    return (byte & 0xf0) == 0x90 || byte == 0xdc || byte == 0xdd;
}

/* Where in the stream the object being read stands. */
static void describe_place(const StreamReader *reader, char place[64]) {
    if (!reader->header)
        snprintf(place, 64, "header");
    else if (reader->state == READER_AFTER_END)
        snprintf(place, 64, "behind record %" PRIu64, reader->count);
    else
        snprintf(place, 64, "record %" PRIu64, reader->count + 1);
}

__attribute__((format(printf, 3, 4))) static bool fail(const StreamReader *reader, Error *error,
                                                       const char *format, ...) {
    char place[64], what[sizeof error->message / 2];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(what, sizeof what, format, arguments);
    va_end(arguments);
    describe_place(reader, place);
    return error_set(error, "%s: %s: %s", reader->name, place, what);
}

/* Room grows with what has arrived, never with what is claimed. */
static bool make_room(StreamReader *reader, Error *error) {
    if (reader->start) {
        memmove(reader->buffer, reader->buffer + reader->start, reader->used - reader->start);
        reader->used -= reader->start;
        reader->start = 0;
    }
    if (reader->capacity - reader->used >= CHUNK_BYTES) return true;
    const size_t grown = 2 * (reader->capacity + CHUNK_BYTES);
    unsigned char *buffer = realloc(reader->buffer, grown);
    if (!buffer) return fail(reader, error, "out of memory: %zu bytes were needed", grown);
    reader->buffer = buffer;
    reader->capacity = grown;
    return true;
}

/* Decompresses some more. *got = 0 at the end of the file. */
static bool fill(StreamReader *reader, size_t *got, Error *error) {
    if (!make_room(reader, error)) return false;
    if (!read_ahead_read(reader->input, reader->buffer + reader->used, reader->capacity - reader->used, got,
                         error)) {
        char place[64];
        describe_place(reader, place);
        return reader->header ? error_prefix(error, "%s: %s: ", reader->name, place)
                              : error_prefix(error, "%s: ", reader->name);
    }
    reader->used += *got;
    return true;
}

static bool fail_cut(const StreamReader *reader, Error *error) {
    if (!reader->header && reader->used == reader->start)
        return error_set(error, "%s: empty; the program that should have written it may have failed",
                         reader->name);
    return fail(reader, error,
                "the stream ends here without an end record; it was cut off, make or copy it again");
}

/* Waits until the next object is whole. STREAM_END only where the file may end. */
static StreamStatus need_object(StreamReader *reader, size_t *size, Error *error) {
    MsgpackScan scan = {0};
    const ScanLimits *limits = &map_limits;
    for (;;) {
        const size_t there = reader->used - reader->start;
        ScanStatus status = SCAN_MORE;
        if (there) {
            const unsigned char *object = reader->buffer + reader->start;
            if (is_array(object[0])) limits = &record_limits;
            status = msgpack_scan(&scan, limits, object, there);
        }
        if (status == SCAN_WHOLE) {
            *size = scan.at;
            return STREAM_RECORD;
        }
        size_t got;
        if (status == SCAN_BAD) {
            fail(reader, error, "%s", scan.problem);
            return STREAM_ERROR;
        }
        if (!fill(reader, &got, error)) return STREAM_ERROR;
        if (got) continue;
        if (reader->state == READER_AFTER_END && !there) return STREAM_END;
        fail_cut(reader, error);
        return STREAM_ERROR;
    }
}

static bool unpack(StreamReader *reader, size_t size, Error *error) {
    size_t offset = 0;
    const msgpack_unpack_return result =
        msgpack_unpack_next(&reader->unpacked, (const char *)reader->buffer + reader->start, size, &offset);
    if (result == MSGPACK_UNPACK_SUCCESS && offset == size) return true;
    return fail(reader, error, "%s",
                result == MSGPACK_UNPACK_NOMEM_ERROR ? "out of memory" : "not valid msgpack");
}

static bool check_header(StreamReader *reader, const json_t *header, Error *error) {
    const char *format = json_string_value(json_object_get(header, "format"));
    const json_t *version = json_object_get(header, "version");
    if (!format || strcmp(format, STREAM_FORMAT))
        return fail(reader, error, "not a .pmt stream (its header has no \"format\": \"%s\")", STREAM_FORMAT);
    if (!json_is_integer(version)) return fail(reader, error, "it has no version");
    if (json_integer_value(version) != STREAM_VERSION)
        return fail(reader, error,
                    "version %" JSON_INTEGER_FORMAT " of the format; this program reads version %d",
                    json_integer_value(version), STREAM_VERSION);
    if (!json_is_string(json_object_get(header, "kind"))) return fail(reader, error, "it has no kind");
    const json_t *provenance = json_object_get(header, "provenance");
    if (provenance && !json_is_object(provenance)) return fail(reader, error, "its provenance is not a map");
    return true;
}

/* A header, also one after an end record; the first stays. */
static bool take_header(StreamReader *reader, json_t *header, Error *error) {
    if (!check_header(reader, header, error)) {
        json_decref(header);
        return false;
    }
    if (!reader->header) {
        reader->header = header;
        return true;
    }
    char differences[HEADER_DIFFERENCES_TEXT];
    header_differences(reader->header, header, differences);
    const bool fine = header_is_compatible(reader->header, header) ||
                      fail(reader, error, "a stream follows that does not fit the first: %s", differences);
    json_decref(header);
    return fine;
}

static bool check_end(StreamReader *reader, const json_t *end, Error *error) {
    const json_t *records = json_object_get(end, "records"), *inputs = json_object_get(end, "inputs");
    const char *claimed = json_string_value(json_object_get(end, "hash"));
    char hash[CONTENT_HASH_TEXT];
    content_hash_text(reader->hash, hash);
    if (!json_is_true(json_object_get(end, "end")))
        return fail(reader, error, "neither a record nor an end record");
    if (!json_is_integer(records)) return fail(reader, error, "the end record does not count the records");
    if ((uint64_t)json_integer_value(records) != reader->segment_count)
        return fail(reader, error,
                    "the end record counts %" JSON_INTEGER_FORMAT " records, but %" PRIu64 " came",
                    json_integer_value(records), reader->segment_count);
    if (!claimed || strcmp(claimed, hash))
        return fail(reader, error,
                    "the end record has the hash %.60s, but the content has %s; it was altered",
                    claimed ? claimed : "(none)", hash);
    if (inputs && !json_is_object(inputs))
        return fail(reader, error, "the inputs of the end record are not a map");
    return true;
}

static bool take_end(StreamReader *reader, const json_t *end, Error *error) {
    reader->state = READER_AFTER_END; /* messages, too, place the end record behind the last record */
    if (!check_end(reader, end, error)) return false;
    json_t *content = content_of_hash(reader->hash);
    json_t *inputs = json_object_get(end, "inputs");
    if (inputs) json_object_set(content, "inputs", inputs);
    if (reader->content) {
        json_t *joined = content_append(reader->content, content);
        json_decref(reader->content);
        json_decref(content);
        content = joined;
    }
    reader->content = content;
    reader->segment_count = 0;
    return true;
}

/* The map at `start`: a header or an end, as its place says. */
static bool take_map(StreamReader *reader, size_t size, Error *error) {
    Error reason;
    const bool ends = reader->header && reader->state == READER_RECORDS;
    json_t *map = json_from_msgpack(&reader->unpacked.data, &reason);
    if (!map) return fail(reader, error, "%s", reason.message);
    bool fine;
    if (ends) {
        fine = take_end(reader, map, error);
        json_decref(map);
    } else {
        fine = take_header(reader, map, error);
        content_hash_reset(reader->hash);
        content_hash_update(reader->hash, reader->buffer + reader->start, size);
        if (fine) reader->state = READER_RECORDS;
    }
    reader->start += size;
    return fine;
}

/* Texts get their NUL in the buffer, over the first byte of what follows, which is unpacked already. The
 * pointer of an empty one means nothing, as msgpack-c leaves it as it happens to be. */
static const char *terminate(StreamReader *reader, const char *text, size_t size) {
    if (!size) return "";
    reader->buffer[(size_t)(text - (const char *)reader->buffer) + size] = 0;
    return text;
}

/* Moves the parts of a tensor together, to where the first lies. */
static bool join_parts(StreamReader *reader, const msgpack_object_array *parts, RecordTensor *tensor,
                       uint64_t *size, Error *error) {
    unsigned char *to = reader->buffer;
    *size = 0;
    for (uint32_t i = 0; i < parts->size; i++) {
        if (parts->ptr[i].type != MSGPACK_OBJECT_BIN)
            return fail(reader, error, "a part of tensor '%s' is not binary data", tensor->name);
        const msgpack_object_bin *part = &parts->ptr[i].via.bin;
        if (!part->size) continue;
        if (!*size) to += part->ptr - (const char *)reader->buffer;
        memmove(to + *size, part->ptr, part->size);
        *size += part->size;
    }
    tensor->data = to;
    return true;
}

static bool parse_shape(StreamReader *reader, const msgpack_object *shape, RecordTensor *tensor,
                        Error *error) {
    if (shape->type != MSGPACK_OBJECT_ARRAY || shape->via.array.size > TENSOR_MAX_DIMENSIONS)
        return fail(reader, error, "tensor '%s' needs a shape of at most %d dimensions", tensor->name,
                    TENSOR_MAX_DIMENSIONS);
    tensor->dimensions = (int)shape->via.array.size;
    for (int i = 0; i < tensor->dimensions; i++) {
        if (shape->via.array.ptr[i].type != MSGPACK_OBJECT_POSITIVE_INTEGER)
            return fail(reader, error, "tensor '%s' has a dimension that is not a whole number",
                        tensor->name);
        tensor->shape[i] = shape->via.array.ptr[i].via.u64;
    }
    return true;
}

static bool parse_names(StreamReader *reader, const msgpack_object *fields, RecordTensor *tensor,
                        Error *error) {
    if (fields[0].type != MSGPACK_OBJECT_STR || fields[1].type != MSGPACK_OBJECT_STR)
        return fail(reader, error, "the name and the dtype of a tensor must be strings");
    const msgpack_object_str *name = &fields[0].via.str, *dtype = &fields[1].via.str;
    if (name->size < 1 || name->size > RECORD_MAX_NAME || memchr(name->ptr, 0, name->size))
        return fail(reader, error, "a tensor's name must have 1 to %d bytes, none of them NUL",
                    RECORD_MAX_NAME);
    tensor->name = terminate(reader, name->ptr, name->size);
    if (dtype_from_name(dtype->ptr, dtype->size, &tensor->dtype)) return true;
    return fail(reader, error, "tensor '%s' has the dtype '%.*s', which is not known", tensor->name,
                dtype->size < 32 ? (int)dtype->size : 32, dtype->ptr);
}

static bool parse_tensor(StreamReader *reader, const msgpack_object *object, RecordTensor *tensor,
                         uint64_t *size, Error *error) {
    if (object->type != MSGPACK_OBJECT_ARRAY || object->via.array.size != 4)
        return fail(reader, error, "a tensor must be [name, dtype, shape, data]");
    const msgpack_object *fields = object->via.array.ptr, *data = &fields[3];
    if (!parse_names(reader, fields, tensor, error) || !parse_shape(reader, &fields[2], tensor, error))
        return false;
    if (data->type == MSGPACK_OBJECT_ARRAY) return join_parts(reader, &data->via.array, tensor, size, error);
    if (data->type != MSGPACK_OBJECT_BIN)
        return fail(reader, error, "the data of tensor '%s' is not binary", tensor->name);
    *size = data->via.bin.size;
    tensor->data = *size ? data->via.bin.ptr : "";
    return true;
}

static bool parse_tensors(StreamReader *reader, const msgpack_object_array *tensors, Record *record,
                          Error *error) {
    uint64_t sizes[RECORD_MAX_TENSORS];
    Error reason;
    record->count = tensors->size;
    for (size_t i = 0; i < record->count; i++)
        if (!parse_tensor(reader, &tensors->ptr[i], &record->tensors[i], &sizes[i], error)) return false;
    if (!record_check(record, &reason)) return fail(reader, error, "%s", reason.message);
    for (size_t i = 0; i < record->count; i++) {
        const RecordTensor *tensor = &record->tensors[i];
        char text[RECORD_TENSOR_TEXT];
        record_tensor_describe(tensor, text);
        if (record_tensor_bytes(tensor) != sizes[i])
            return fail(reader, error, "tensor '%s' is %s, %zu bytes, but has %" PRIu64 " bytes of data",
                        tensor->name, text, record_tensor_bytes(tensor), sizes[i]);
    }
    return true;
}

static bool parse_record(StreamReader *reader, Record *record, Error *error) {
    const msgpack_object *object = &reader->unpacked.data;
    if (object->type != MSGPACK_OBJECT_ARRAY || object->via.array.size != 2)
        return fail(reader, error, "neither a record [key, tensors] nor an end record");
    const msgpack_object *key = &object->via.array.ptr[0], *tensors = &object->via.array.ptr[1];
    if (tensors->type != MSGPACK_OBJECT_ARRAY || tensors->via.array.size > RECORD_MAX_TENSORS)
        return fail(reader, error, "a record must be [key, tensors], with at most %d tensors",
                    RECORD_MAX_TENSORS);
    if (key->type != MSGPACK_OBJECT_BIN && key->type != MSGPACK_OBJECT_STR)
        return fail(reader, error, "its key is neither binary nor a string");
    const bool binary = key->type == MSGPACK_OBJECT_BIN;
    *record = (Record){.stream = reader->name, .number = reader->count + 1};
    record->key_size = binary ? key->via.bin.size : key->via.str.size;
    record->key = terminate(reader, binary ? key->via.bin.ptr : key->via.str.ptr, record->key_size);
    return parse_tensors(reader, &tensors->via.array, record, error);
}

static bool take_record(StreamReader *reader, size_t size, Record *record, Error *error) {
    if (!reader->header || reader->state == READER_AFTER_END)
        return fail(reader, error, "a header must come here");
    content_hash_update(reader->hash, reader->buffer + reader->start, size);
    if (!parse_record(reader, record, error)) return false;
    reader->start += size;
    reader->count++;
    reader->segment_count++;
    return true;
}

/* One object: a record is STREAM_RECORD; after a map *again is set. */
static StreamStatus next_object(StreamReader *reader, Record *record, bool *again, Error *error) {
    size_t size;
    *again = false;
    const StreamStatus status = need_object(reader, &size, error);
    if (status != STREAM_RECORD) return status;
    if (!unpack(reader, size, error)) return STREAM_ERROR;
    if (is_map(reader->buffer[reader->start])) {
        *again = true;
        return take_map(reader, size, error) ? STREAM_RECORD : STREAM_ERROR;
    }
    return take_record(reader, size, record, error) ? STREAM_RECORD : STREAM_ERROR;
}

StreamStatus stream_reader_next(StreamReader *reader, Record *record, Error *error) {
    if (reader->state == READER_DONE) return STREAM_END;
    if (reader->state == READER_FAILED) {
        *error = reader->problem;
        return STREAM_ERROR;
    }
    StreamStatus status;
    bool again;
    do
        status = next_object(reader, record, &again, error);
    while (status == STREAM_RECORD && again);
    if (status == STREAM_END) {
        reader->state = READER_DONE;
        free(reader->buffer); /* as large as the largest record; the reader may stay open for its header */
        reader->buffer = NULL;
    }
    if (status == STREAM_ERROR) {
        reader->state = READER_FAILED;
        reader->problem = *error;
    }
    return status;
}

void *stream_reader_take(StreamReader *reader, const RecordTensor *tensor) {
    const size_t size = record_tensor_bytes(tensor), ahead = reader->used - reader->start;
    unsigned char *given = reader->buffer, *kept = memory_need(ahead + CHUNK_BYTES, 1);
    memcpy(kept, given + reader->start, ahead);
    reader->buffer = kept;
    reader->capacity = ahead + CHUNK_BYTES;
    reader->start = 0;
    reader->used = ahead;
    memmove(given, tensor->data, size);
    return memory_resize(given, size ? size : 1, 1);
}

/* The first object must be a header. */
static bool read_header(StreamReader *reader, Error *error) {
    size_t size;
    if (need_object(reader, &size, error) == STREAM_ERROR || !unpack(reader, size, error)) return false;
    if (!is_map(reader->buffer[reader->start])) return fail(reader, error, "not a .pmt stream but a zstd file of something else");
    return take_map(reader, size, error);
}

StreamReader *stream_reader_open(const char *path, Error *error) {
    StreamReader *reader = memory_need(1, sizeof *reader);
    const char *name = file_display_name(path);
    reader->name = memory_copy_text(name, strlen(name));
    reader->hash = content_hash_create();
    msgpack_unpacked_init(&reader->unpacked);
    reader->input = read_ahead_open(path, error);
    if (reader->input && read_header(reader, error)) return reader;
    stream_reader_close(reader);
    return NULL;
}

/* Is `kind` one of "a|b|c"? */
static bool is_among(const char *kinds, const char *kind) {
    const size_t length = strlen(kind);
    for (const char *at = kinds; *at; at += strcspn(at, "|"), at += *at == '|')
        if (strcspn(at, "|") == length && !strncmp(at, kind, length)) return true;
    return false;
}

StreamReader *stream_reader_open_kind(const char *path, const char *kinds, Error *error) {
    StreamReader *reader = stream_reader_open(path, error);
    if (!reader) return NULL;
    const char *kind = json_string_value(json_object_get(reader->header, "kind"));
    if (is_among(kinds, kind)) return reader;
    const char *what = file_kind_of_stream(kind);
    error_set(error, "%s: a stream of kind '%.64s'; one of kind %s is needed here%s%s", reader->name, kind,
              kinds, what ? "; it is " : "", what ? what : "");
    stream_reader_close(reader);
    return NULL;
}

void stream_reader_close(StreamReader *reader) {
    if (!reader) return;
    read_ahead_close(reader->input);
    msgpack_unpacked_destroy(&reader->unpacked);
    content_hash_destroy(reader->hash);
    json_decref(reader->header);
    json_decref(reader->content);
    free(reader->buffer);
    free(reader->name);
    free(reader);
}

const json_t *stream_reader_header(const StreamReader *reader) {
    return reader->header;
}

const char *stream_reader_name(const StreamReader *reader) {
    return reader->name;
}

uint64_t stream_reader_count(const StreamReader *reader) {
    return reader->count;
}

json_t *stream_reader_content(const StreamReader *reader) {
    return json_incref(reader->content);
}

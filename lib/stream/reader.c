#include "stream/reader.h"

#include "core/file.h"
#include "core/file_kind.h"
#include "core/memory.h"
#include "stream/content_hash.h"
#include "stream/input.h"
#include "stream/msgpack_json.h"
#include "stream/msgpack_scan.h"
#include "stream/record_parse.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Room for the next bytes when nothing larger is on its way. */
enum { CHUNK_BYTES = 1 << 17 };

typedef enum ReaderState { READER_RECORDS, READER_AFTER_END, READER_DONE, READER_FAILED } ReaderState;

struct StreamReader {
    char *name;
    StreamInput *input;
    StreamWatch watch;
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

    const StreamIndex *index; /* NULL: none */
    uint64_t position;        /* decompressed bytes before `start` */
    size_t frame;             /* of the index: the next that an object must begin with */
    size_t end_frame;         /* the first that is not asked for */
    size_t segment;           /* how many have ended */
    IndexKeySum keys;         /* of the segment so far */
    bool partial;             /* only some records are read … */
    uint64_t last;            /* … and this is the last of them */
    Shard shard;              /* of what is read without an index */
};

/* [key, [[name, dtype, [shape …], data or [part …]] …]] */
static const uint32_t record_members[] = {2, RECORD_MAX_TENSORS, 4, 1024};
static const ScanLimits record_limits = {
    /* and as many bytes as memory_record_limit says */
    .elements = 1 << 16,       .text = RECORD_MAX_KEY,
    .data_depth = 3,           .depth = sizeof record_members / sizeof *record_members,
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
    if (!stream_input_read(reader->input, reader->buffer + reader->used, reader->capacity - reader->used, got,
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

static bool refuse_object(const StreamReader *reader, const MsgpackScan *scan, const ScanLimits *limits,
                          Error *error) {
    if (limits == &scan_map_limits || scan->at + scan->body <= limits->bytes)
        return fail(reader, error, "%s", scan->problem);
    return fail(reader, error, "it has more than %" PRIu64 " bytes; --max-record allows larger ones",
                limits->bytes);
}

/* Waits until the next object is whole. STREAM_END only where the file may end. */
static StreamStatus need_object(StreamReader *reader, size_t *size, Error *error) {
    MsgpackScan scan = {0};
    ScanLimits of_record = record_limits;
    const ScanLimits *limits = &scan_map_limits;
    of_record.bytes = memory_record_limit();
    for (;;) {
        const size_t there = reader->used - reader->start;
        ScanStatus status = SCAN_MORE;
        if (there) {
            const unsigned char *object = reader->buffer + reader->start;
            if (is_array(object[0])) limits = &of_record;
            status = msgpack_scan(&scan, limits, object, there);
        }
        if (status == SCAN_WHOLE) {
            *size = scan.at;
            return STREAM_RECORD;
        }
        size_t got;
        if (status == SCAN_BAD) {
            refuse_object(reader, &scan, limits, error);
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

/* The object at `start` is done with. */
static void pass(StreamReader *reader, size_t size) {
    reader->start += size;
    reader->position += size;
}

/* Whether the object at `start` is where the index has its frame begin. */
static bool check_frame(StreamReader *reader, Error *error) {
    const StreamIndex *index = reader->index;
    for (; index && reader->frame < index->frame_count; reader->frame++) {
        const IndexFrame *frame = &index->frames[reader->frame];
        if (frame->start > reader->position) break;
        if (frame->start != reader->position || frame->first != reader->count)
            return fail(reader, error, "frame %zu does not begin with the record that the index says",
                        reader->frame + 1);
    }
    return true;
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
    const json_t *provenance = json_object_get(header, "provenance"), *info = json_object_get(header, "info");
    if (provenance && !json_is_object(provenance)) return fail(reader, error, "its provenance is not a map");
    if (info && !json_is_object(info)) return fail(reader, error, "its info is not a map");
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
    if (!json_is_true(json_object_get(end, "end")))
        return fail(reader, error, "neither a record nor an end record");
    if (reader->partial) return true; /* only whole segments can be counted and hashed */
    content_hash_text(reader->hash, hash);
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
    if (!reader->partial) reader->content = content_extend(reader->content, content_of_end(end));
    reader->segment++;
    reader->segment_count = 0;
    return true;
}

/* Whether the index says the same of the segment that ends with the map at `start`. */
static bool check_segment(const StreamReader *reader, size_t size, Error *error) {
    if (!reader->index || reader->partial) return true;
    const size_t number = reader->segment - 1;
    const IndexSegment *segment = &reader->index->segments[number];
    Error reason;
    if (reader->index->frames[reader->frame - 1].segment != number || segment->end_size != size ||
        memcmp(segment->end, reader->buffer + reader->start, size))
        return fail(reader, error, "the index has another end record; it is damaged, or of another stream");
    return stream_index_check_keys(reader->index, number, &reader->keys, &reason) ||
           fail(reader, error, "%s", reason.message);
}

/* The map at `start`: a header or an end, as its place says. */
static bool take_map(StreamReader *reader, size_t size, Error *error) {
    Error reason;
    const bool ends = reader->header && reader->state == READER_RECORDS;
    json_t *map = json_from_msgpack(&reader->unpacked.data, &reason);
    if (!map) return fail(reader, error, "%s", reason.message);
    bool fine;
    if (ends) {
        fine = take_end(reader, map, error) && check_segment(reader, size, error);
        json_decref(map);
    } else {
        fine = take_header(reader, map, error);
        content_hash_reset(reader->hash);
        content_hash_update(reader->hash, reader->buffer + reader->start, size);
        reader->keys = (IndexKeySum){0};
        if (fine) reader->state = READER_RECORDS;
    }
    pass(reader, size);
    return fine;
}

static bool take_record(StreamReader *reader, size_t size, Record *record, Error *error) {
    if (!reader->header || reader->state == READER_AFTER_END)
        return fail(reader, error, "a header must come here");
    Error reason;
    if (!reader->partial) content_hash_update(reader->hash, reader->buffer + reader->start, size);
    if (!record_parse(&reader->unpacked.data, record, &reason))
        return fail(reader, error, "%s", reason.message);
    record->stream = reader->name;
    record->number = reader->count + 1;
    if (reader->index && !reader->partial)
        index_key_sum_add(&reader->keys, index_hash(record->key, record->key_size),
                          (uint32_t)reader->segment_count);
    pass(reader, size);
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
    if (!check_frame(reader, error)) return STREAM_ERROR;
    if (reader->watch.take) reader->watch.take(reader->watch.context, reader->buffer + reader->start, size);
    if (!unpack(reader, size, error)) return STREAM_ERROR;
    if (is_map(reader->buffer[reader->start])) {
        *again = true;
        return take_map(reader, size, error) ? STREAM_RECORD : STREAM_ERROR;
    }
    return take_record(reader, size, record, error) ? STREAM_RECORD : STREAM_ERROR;
}

StreamStatus stream_reader_next(StreamReader *reader, Record *record, Error *error) {
    if (reader->state == READER_DONE || (reader->partial && reader->count >= reader->last)) return STREAM_END;
    if (reader->state == READER_FAILED) {
        *error = reader->problem;
        return STREAM_ERROR;
    }
    StreamStatus status;
    bool again;
    do
        status = next_object(reader, record, &again, error);
    while (status == STREAM_RECORD && (again || !shard_takes(&reader->shard, record->number)));
    if (status == STREAM_END) {
        reader->state = READER_DONE;
        free(reader->buffer); /* as large as the largest record; the reader may stay open for its header */
        reader->buffer = NULL;
        reader->capacity = reader->start = reader->used = 0;
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
    if (need_object(reader, &size, error) == STREAM_ERROR || !check_frame(reader, error)) return false;
    if (!is_map(reader->buffer[reader->start]))
        return fail(reader, error, "not a .pmt stream but a zstd file of something else");
    if (reader->watch.take) reader->watch.take(reader->watch.context, reader->buffer + reader->start, size);
    return unpack(reader, size, error) && take_map(reader, size, error);
}

StreamReader *stream_reader_open(const char *path, Error *error) {
    return stream_reader_open_watched(path, (StreamWatch){0}, error);
}

StreamReader *stream_reader_open_watched(const char *path, StreamWatch watch, Error *error) {
    StreamReader *reader = memory_need(1, sizeof *reader);
    reader->watch = watch;
    const char *name = file_display_name(path);
    reader->name = memory_copy_text(name, strlen(name));
    reader->hash = content_hash_create();
    msgpack_unpacked_init(&reader->unpacked);
    reader->input = stream_input_open(path, !watch.take, error);
    reader->index = reader->input ? stream_input_index(reader->input) : NULL;
    reader->end_frame = reader->index ? reader->index->frame_count : 0;
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
    stream_input_close(reader->input);
    msgpack_unpacked_destroy(&reader->unpacked);
    content_hash_destroy(reader->hash);
    json_decref(reader->header);
    json_decref(reader->content);
    free(reader->buffer);
    free(reader->name);
    free(reader);
}

/* Reading goes on with the first object of a frame. */
static void seek_frame(StreamReader *reader, size_t frame, size_t end) {
    const IndexFrame *to = &reader->index->frames[frame];
    const bool opens = reader->index->segments[to->segment].first_frame == frame;
    stream_input_seek(reader->input, frame, end);
    reader->frame = frame;
    reader->end_frame = end;
    reader->start = reader->used = 0;
    reader->position = to->start;
    reader->count = to->first;
    reader->state = opens ? READER_AFTER_END : READER_RECORDS;
}

/* Is the record still to come, in a frame that is being read? */
static bool is_near(const StreamReader *reader, uint64_t number, size_t frame) {
    return number > reader->count && frame < reader->end_frame && frame <= reader->frame &&
           reader->state != READER_DONE;
}

bool stream_reader_seek(StreamReader *reader, uint64_t first, uint64_t count, Error *error) {
    if (reader->state == READER_FAILED) {
        *error = reader->problem;
        return false;
    }
    Error reason;
    if (!reader->partial) {
        json_decref(reader->content);
        reader->content = stream_index_content(reader->index, &reason);
        if (!reader->content) return error_set(error, "%s: %s", reader->name, reason.message);
    }
    reader->partial = true;
    reader->last = reader->count;
    if (!count) return true;
    const size_t frame = stream_index_frame(reader->index, first),
                 end = stream_index_frame(reader->index, first + count - 1) + 1;
    if (!is_near(reader, first, frame) || end > reader->end_frame) seek_frame(reader, frame, end);
    Record record;
    reader->last = first - 1;
    StreamStatus status = STREAM_RECORD;
    while (reader->count < reader->last && status == STREAM_RECORD)
        status = stream_reader_next(reader, &record, error);
    reader->last = first + count - 1;
    if (status == STREAM_END) return error_set(error, "%s: the index has more records", reader->name);
    return status == STREAM_RECORD;
}

bool stream_reader_take_shard(StreamReader *reader, const Shard *shard, Error *error) {
    uint64_t first, count;
    if (!shard->count) return true;
    if (!reader->index) {
        reader->shard = *shard;
        return true;
    }
    shard_range(shard, reader->index->records, &first, &count);
    return stream_reader_seek(reader, first, count, error);
}

const StreamIndex *stream_reader_index(const StreamReader *reader) {
    return reader->index;
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
    Error damaged; /* of which whoever reads it is told */
    if (!reader->content && reader->index) return stream_index_content(reader->index, &damaged);
    return json_incref(reader->content);
}

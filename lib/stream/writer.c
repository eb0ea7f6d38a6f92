#include "stream/writer.h"

#include "core/file.h"
#include "core/memory.h"
#include "stream/frame_encoder.h"
#include "stream/msgpack_json.h"
#include "stream/msgpack_scan.h"

#include <string.h>

/* A tensor's data is written in parts of at most this size, as msgpack's lengths have 32 bits. */
#ifndef STREAM_PART_BYTES
#define STREAM_PART_BYTES ((size_t)1 << 30)
#endif

struct StreamWriter {
    OutputFile *file;
    Journal *journal; /* NULL: a killed run leaves nothing */
    FrameEncoder *frames;
    msgpack_packer packer;
    json_t *contents; /* role: content */
    uint64_t records;
};

/* The packer's callback. */
static int take_packed(void *data, const char *bytes, size_t size) {
    StreamWriter *writer = data;
    return frame_encoder_put(writer->frames, bytes, size) ? 0 : -1;
}

static bool check_header(const json_t *header, Error *error) {
    if (json_depth(header) <= SCAN_MAX_DEPTH) return true;
    return error_set(error, "a header with more than %d levels cannot be written", SCAN_MAX_DEPTH);
}

static StreamWriter *stream_writer_create(void) {
    StreamWriter *writer = memory_need(1, sizeof *writer);
    writer->contents = json_object();
    msgpack_packer_init(&writer->packer, writer, take_packed);
    return writer;
}

StreamWriter *stream_writer_open(const char *path, const json_t *header, Error *error) {
    if (!check_header(header, error)) return NULL;
    StreamWriter *writer = stream_writer_create();
    writer->file = output_file_open(path, error);
    if (writer->file) writer->frames = frame_encoder_create(writer->file, error);
    if (!writer->frames) {
        stream_writer_abandon(writer);
        return NULL;
    }
    json_to_msgpack(header, &writer->packer);
    return writer;
}

/* The encoder's watch. */
static bool note_frame(void *context, const FrameWritten *frame, Error *error) {
    return journal_add(context, frame->size, frame->records, frame->hash, error);
}

StreamWriter *stream_writer_resume(const char *path, const json_t *header, const json_t *run,
                                   ReplayWatch watch, Error *error) {
    if (!check_header(header, error)) return NULL;
    StreamWriter *writer = stream_writer_create();
    writer->file = output_file_open_kept(path, error);
    if (writer->file) writer->journal = journal_open(writer->file, run, error);
    if (writer->journal) writer->frames = replay_frames(writer->file, writer->journal, header, watch, error);
    if (!writer->frames) {
        stream_writer_abandon(writer);
        return NULL;
    }
    frame_encoder_watch(writer->frames, (FrameWatch){note_frame, writer->journal});
    const JournalMark *done = stream_writer_done(writer);
    if (done)
        writer->records = done->records;
    else
        json_to_msgpack(header, &writer->packer);
    return writer;
}

const JournalMark *stream_writer_done(const StreamWriter *writer) {
    const size_t count = writer->journal ? journal_count(writer->journal) : 0;
    return count ? journal_mark(writer->journal, count - 1) : NULL;
}

void stream_writer_note(StreamWriter *writer, const char input[CONTENT_HASH_TEXT]) {
    journal_note(writer->journal, input);
}

void stream_writer_set_level(StreamWriter *writer, int level) {
    frame_encoder_set_level(writer->frames, level);
}

static void pack_text(msgpack_packer *packer, const char *text) {
    msgpack_pack_str(packer, strlen(text));
    msgpack_pack_str_body(packer, text, strlen(text));
}

static void pack_binary(msgpack_packer *packer, const void *bytes, size_t size) {
    msgpack_pack_bin(packer, size);
    msgpack_pack_bin_body(packer, bytes, size);
}

static void pack_data(msgpack_packer *packer, const unsigned char *data, size_t size) {
    if (size <= STREAM_PART_BYTES) {
        pack_binary(packer, data, size);
        return;
    }
    msgpack_pack_array(packer, (size - 1) / STREAM_PART_BYTES + 1);
    for (size_t at = 0; at < size; at += STREAM_PART_BYTES)
        pack_binary(packer, data + at, size - at < STREAM_PART_BYTES ? size - at : STREAM_PART_BYTES);
}

static void pack_tensor(msgpack_packer *packer, const RecordTensor *tensor) {
    msgpack_pack_array(packer, 4);
    pack_text(packer, tensor->name);
    pack_text(packer, dtype_name(tensor->dtype));
    msgpack_pack_array(packer, (size_t)tensor->dimensions);
    for (int i = 0; i < tensor->dimensions; i++)
        msgpack_pack_uint64(packer, tensor->shape[i]);
    pack_data(packer, tensor->data, record_tensor_bytes(tensor));
}

bool stream_writer_put(StreamWriter *writer, const Record *record, Error *error) {
    if (!record_check(record, error)) {
        char where[RECORD_WHERE_TEXT];
        record_where(record, where);
        return error_prefix(error, "cannot write to %s: %s: ", output_file_name(writer->file), where);
    }
    msgpack_packer *packer = &writer->packer;
    msgpack_pack_array(packer, 2);
    pack_binary(packer, record->key, record->key_size);
    msgpack_pack_array(packer, record->count);
    for (size_t i = 0; i < record->count; i++)
        pack_tensor(packer, &record->tensors[i]);
    writer->records++;
    const bool fine = frame_encoder_end_record(writer->frames, record->key, record->key_size);
    if (!fine) *error = *frame_encoder_problem(writer->frames);
    return fine;
}

void stream_writer_add_content(StreamWriter *writer, const char *role, json_t *content) {
    json_object_set_new(writer->contents, role, header_prune(content));
    json_decref(content);
}

typedef struct PackedEnd {
    char *bytes;
    size_t size, capacity;
} PackedEnd;

/* A packer's callback, which ends the program where msgpack's own would leave bytes out. */
static int take_end(void *data, const char *bytes, size_t size) {
    PackedEnd *end = data;
    end->bytes = memory_grow(end->bytes, &end->capacity, end->size + size, 1);
    memcpy(end->bytes + end->size, bytes, size);
    end->size += size;
    return 0;
}

static bool write_end(StreamWriter *writer) {
    char hash[CONTENT_HASH_TEXT];
    PackedEnd packed = {0};
    msgpack_packer packer;
    frame_encoder_hash(writer->frames, hash);
    json_t *end = json_pack("{s:b, s:I, s:s, s:O}", "end", 1, "records", (json_int_t)writer->records, "hash",
                            hash, "inputs", writer->contents);
    msgpack_packer_init(&packer, &packed, take_end);
    json_to_msgpack(end, &packer);
    json_decref(end);
    const bool fine = frame_encoder_end_segment(writer->frames, packed.bytes, packed.size);
    free(packed.bytes);
    return fine;
}

static void stream_writer_free(StreamWriter *writer) {
    frame_encoder_destroy(writer->frames);
    json_decref(writer->contents);
    free(writer);
}

bool stream_writer_close(StreamWriter *writer, Error *error) {
    if (!write_end(writer)) {
        *error = *frame_encoder_problem(writer->frames);
        stream_writer_abandon(writer);
        return false;
    }
    const bool fine = output_file_commit(writer->file, error);
    journal_end(writer->journal, fine);
    stream_writer_free(writer);
    return fine;
}

void stream_writer_abandon(StreamWriter *writer) {
    if (!writer) return;
    journal_close(writer->journal);
    output_file_abandon(writer->file);
    stream_writer_free(writer);
}

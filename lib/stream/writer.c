#include "stream/writer.h"

#include "core/file.h"
#include "core/memory.h"
#include "stream/content_hash.h"
#include "stream/msgpack_json.h"
#include "stream/msgpack_scan.h"

#include <string.h>
#include <unistd.h>
#include <zstd.h>

/* A tensor's data is written in parts of at most this size, as msgpack's lengths have 32 bits. */
#ifndef STREAM_PART_BYTES
#define STREAM_PART_BYTES ((size_t)1 << 30)
#endif

enum { STAGED_BYTES = 1 << 16 };

struct StreamWriter {
    OutputFile *file;
    ZSTD_CCtx *context;
    ContentHash *hash;
    msgpack_packer packer;
    json_t *contents; /* role: content */
    uint64_t records;
    size_t staged_size;
    unsigned char staged[STAGED_BYTES]; /* small pieces gather here, so that zstd is called less often */
    void *compressed;
    size_t compressed_size;
    bool failed;
    Error problem; /* the first, once failed */
};

static bool compress(StreamWriter *writer, const void *bytes, size_t size, ZSTD_EndDirective end) {
    ZSTD_inBuffer in = {bytes, size, 0};
    size_t left;
    do {
        ZSTD_outBuffer out = {writer->compressed, writer->compressed_size, 0};
        left = ZSTD_compressStream2(writer->context, &out, &in, end);
        if (ZSTD_isError(left)) {
            writer->failed = true;
            return error_set(&writer->problem, "cannot compress for %s: %s", output_file_name(writer->file),
                             ZSTD_getErrorName(left));
        }
        if (out.pos && fwrite(out.dst, 1, out.pos, output_file_stream(writer->file)) != out.pos) {
            writer->failed = true;
            return error_set_errno(&writer->problem, "cannot write %s", output_file_name(writer->file));
        }
    } while (end == ZSTD_e_end ? left > 0 : in.pos < in.size);
    return true;
}

static bool flush_staged(StreamWriter *writer) {
    const size_t size = writer->staged_size;
    writer->staged_size = 0;
    content_hash_update(writer->hash, writer->staged, size);
    return compress(writer, writer->staged, size, ZSTD_e_continue);
}

/* The packer's callback. Large data goes to zstd from where it lies. */
static int take_packed(void *data, const char *bytes, size_t size) {
    StreamWriter *writer = data;
    if (writer->failed) return -1;
    if (size > STAGED_BYTES - writer->staged_size && !flush_staged(writer)) return -1;
    if (size > STAGED_BYTES) {
        content_hash_update(writer->hash, bytes, size);
        return compress(writer, bytes, size, ZSTD_e_continue) ? 0 : -1;
    }
    if (size) memcpy(writer->staged + writer->staged_size, bytes, size);
    writer->staged_size += size;
    return 0;
}

static bool check_header(const json_t *header, Error *error) {
    if (json_depth(header) <= SCAN_MAX_DEPTH) return true;
    return error_set(error, "a header with more than %d levels cannot be written", SCAN_MAX_DEPTH);
}

/* One worker: compression beside the caller's work, and the same bytes whatever the machine. Small jobs, so
 * that the reader at the other end of a pipe need not wait long. */
static bool start_compression(StreamWriter *writer, Error *error) {
    static const struct {
        ZSTD_cParameter parameter;
        int value;
    } settings[] = {
        {ZSTD_c_compressionLevel, 3},
        {ZSTD_c_checksumFlag, 1},
        {ZSTD_c_nbWorkers, 1},
        {ZSTD_c_jobSize, 1 << 20},
    };
    writer->context = ZSTD_createCCtx();
    writer->compressed_size = ZSTD_CStreamOutSize();
    writer->compressed = memory_need(writer->compressed_size, 1);
    bool fine = writer->context;
    for (size_t i = 0; fine && i < sizeof settings / sizeof *settings; i++)
        fine =
            !ZSTD_isError(ZSTD_CCtx_setParameter(writer->context, settings[i].parameter, settings[i].value));
    return fine || error_set(error, "libzstd cannot be set up (out of memory, or built without threads)");
}

StreamWriter *stream_writer_open(const char *path, const json_t *header, Error *error) {
    if (!check_header(header, error)) return NULL;
    StreamWriter *writer = memory_need(1, sizeof *writer);
    writer->hash = content_hash_create();
    writer->contents = json_object();
    msgpack_packer_init(&writer->packer, writer, take_packed);
    writer->file = output_file_open(path, error);
    bool fine = writer->file && start_compression(writer, error);
    if (fine && isatty(fileno(output_file_stream(writer->file))))
        fine = error_set(error, "%s is a terminal, which a stream would garble; use -o FILE or a pipe",
                         output_file_name(writer->file));
    if (!fine) {
        stream_writer_abandon(writer);
        return NULL;
    }
    json_to_msgpack(header, &writer->packer);
    return writer;
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
    if (writer->failed) *error = writer->problem;
    return !writer->failed;
}

void stream_writer_add_content(StreamWriter *writer, const char *role, json_t *content) {
    json_object_set_new(writer->contents, role, header_prune(content));
    json_decref(content);
}

static bool write_end(StreamWriter *writer) {
    if (writer->failed || !flush_staged(writer)) return false;
    char hash[CONTENT_HASH_TEXT];
    content_hash_text(writer->hash, hash);
    json_t *end = json_pack("{s:b, s:I, s:s, s:O}", "end", 1, "records", (json_int_t)writer->records, "hash",
                            hash, "inputs", writer->contents);
    json_to_msgpack(end, &writer->packer);
    json_decref(end);
    return !writer->failed && flush_staged(writer) && compress(writer, NULL, 0, ZSTD_e_end);
}

static void stream_writer_free(StreamWriter *writer) {
    ZSTD_freeCCtx(writer->context);
    content_hash_destroy(writer->hash);
    json_decref(writer->contents);
    free(writer->compressed);
    free(writer);
}

bool stream_writer_close(StreamWriter *writer, Error *error) {
    if (!write_end(writer)) {
        *error = writer->problem;
        stream_writer_abandon(writer);
        return false;
    }
    const bool fine = output_file_commit(writer->file, error);
    stream_writer_free(writer);
    return fine;
}

void stream_writer_abandon(StreamWriter *writer) {
    if (!writer) return;
    output_file_abandon(writer->file);
    stream_writer_free(writer);
}

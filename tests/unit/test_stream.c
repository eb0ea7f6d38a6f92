#include "check.h"

#include "core/file.h"
#include "core/memory.h"
#include "core/random.h"
#include "core/version.h"
#include "stream/content_hash.h"
#include "stream/model_header.h"
#include "stream/msgpack_scan.h"
#include "stream/reader.h"
#include "stream/writer.h"

#include <glob.h>
#include <unistd.h>
#include <zstd.h>

typedef struct Bytes {
    unsigned char *at;
    size_t size;
} Bytes;

static char scratch[] = "/tmp/test_stream.XXXXXX";

static void remove_scratch(void) {
    unlink(scratch);
}

static void write_scratch(const void *bytes, size_t size) {
    if (strstr(scratch, "XXXXXX")) {
        close(mkstemp(scratch));
        atexit(remove_scratch);
    }
    FILE *file = fopen(scratch, "wb");
    fwrite(bytes, 1, size, file);
    fclose(file);
}

static Bytes bytes_of_file(const char *path) {
    Error error;
    Bytes bytes;
    bytes.at = file_read(path, 1 << 24, &bytes.size, &error);
    CHECK(bytes.at, "%s", error.message);
    return bytes;
}

static Bytes compress(const unsigned char *plain, size_t size) {
    Bytes bytes = {memory_need(ZSTD_compressBound(size), 1), 0};
    bytes.size = ZSTD_compress(bytes.at, ZSTD_compressBound(size), plain, size, 1);
    return bytes;
}

static Bytes decompress(Bytes packed) {
    enum { ROOM = 1 << 20 };
    Bytes plain = {memory_need(ROOM, 1), 0};
    ZSTD_DCtx *context = ZSTD_createDCtx();
    ZSTD_inBuffer in = {packed.at, packed.size, 0};
    ZSTD_outBuffer out = {plain.at, ROOM, 0};
    while (in.pos < in.size && !ZSTD_isError(ZSTD_decompressStream(context, &out, &in))) {
    }
    ZSTD_freeDCtx(context);
    plain.size = out.pos;
    return plain;
}

/* Reads to the end; the number of records, or −1. Touches every byte, for the sanitizers. */
static int read_path(const char *path, Error *error) {
    static volatile unsigned sum;
    StreamReader *reader = stream_reader_open(path, error);
    if (!reader) return -1;
    Record record;
    StreamStatus status;
    int count = 0;
    for (; (status = stream_reader_next(reader, &record, error)) == STREAM_RECORD; count++) {
        sum += (unsigned)strlen(record.key);
        for (size_t i = 0; i < record.count; i++)
            for (size_t j = 0; j < record_tensor_bytes(&record.tensors[i]); j++)
                sum += ((const unsigned char *)record.tensors[i].data)[j];
    }
    if (status == STREAM_ERROR)
        CHECK(stream_reader_next(reader, &record, error) == STREAM_ERROR, "an error must stay one");
    stream_reader_close(reader);
    return status == STREAM_END ? count : -1;
}

static int read_bytes(const void *bytes, size_t size, Error *error) {
    write_scratch(bytes, size);
    return read_path(scratch, error);
}

static int read_plain(const unsigned char *plain, size_t size, Error *error) {
    const Bytes packed = compress(plain, size);
    const int count = read_bytes(packed.at, packed.size, error);
    free(packed.at);
    return count;
}

static Record one_tensor(const char *key, RecordTensor tensor) {
    Record record = {.key = key, .key_size = strlen(key), .count = 1};
    record.tensors[0] = tensor;
    return record;
}

static const float values[] = {1, -2, 3.5f, 0, 1e-30f, -1e30f};

/* A small stream of three records with provenance, in the scratch file. */
static Bytes small_stream(void) {
    Error error;
    write_scratch("", 0);
    json_t *header = header_create("hidden");
    json_object_set_new(header, "width", json_integer(3));
    header_sign(header, "pm-test", json_pack("{s:i}", "seed", 7));
    header_add_input(header, "items", NULL);
    StreamWriter *writer = stream_writer_open(scratch, header, &error);
    CHECK(writer, "%s", error.message);
    static const char *const keys[] = {"v1", "v2", "a longer key"};
    for (uint64_t i = 0; i < 3; i++) {
        const Record record =
            one_tensor(keys[i], record_tensor("hidden", DTYPE_F32, values, 2, i, UINT64_C(2)));
        CHECK(stream_writer_put(writer, &record, &error), "%s", error.message);
    }
    ContentHash *hash = content_hash_create();
    content_hash_update(hash, "v1\n", 3);
    stream_writer_add_content(writer, "items", content_of_hash(hash));
    content_hash_destroy(hash);
    CHECK(stream_writer_close(writer, &error), "%s", error.message);
    json_decref(header);
    return bytes_of_file(scratch);
}

static void small_stream_comes_back(void) {
    Error error;
    const Bytes packed = small_stream();
    StreamReader *reader = stream_reader_open_kind(scratch, "tokens|hidden", &error);
    CHECK(reader, "%s", error.message);
    if (!reader) return;
    int64_t width = 0;
    CHECK(header_integer(stream_reader_header(reader), "width", 1, 100, &width, &error) && width == 3);
    Record record;
    for (uint64_t i = 0; i < 3; i++) {
        CHECK(stream_reader_next(reader, &record, &error) == STREAM_RECORD, "%s", error.message);
        const RecordTensor *tensor = record_need_float(&record, "hidden", 2, &error);
        CHECK(tensor && tensor->shape[0] == i && tensor->shape[1] == 2);
        CHECK(tensor && !memcmp(tensor->data, values, record_tensor_bytes(tensor)));
        CHECK(record.number == i + 1 && record.stream == stream_reader_name(reader));
    }
    CHECK(!strcmp(record.key, "a longer key") && record.key_size == 12);
    CHECK(stream_reader_next(reader, &record, &error) == STREAM_END, "%s", error.message);
    CHECK(stream_reader_next(reader, &record, &error) == STREAM_END && stream_reader_count(reader) == 3);
    json_t *content = stream_reader_content(reader);
    const json_t *items = json_object_get(json_object_get(content, "inputs"), "items");
    /* XXH3-128 of "v1\n" */
    CHECK(!strcmp(json_string_value(json_object_get(items, "hash")), "xxh3:99320dce54026277a45b28d83301be3e"),
          "%s", json_string_value(json_object_get(items, "hash")));
    json_decref(content);
    stream_reader_close(reader);
    free(packed.at);
}

static void same_input_same_bytes(void) {
    const Bytes one = small_stream(), two = small_stream();
    CHECK(one.size == two.size && !memcmp(one.at, two.at, one.size));
    free(one.at);
    free(two.at);
}

static void every_dtype_and_large_data(void) {
    Error error;
    enum { COUNT = 300000 }; /* more than the pieces in which it is written and read */
    unsigned char *data = memory_need(COUNT, 8);
    Random random;
    random_seed(&random, 3, 0);
    for (size_t i = 0; i < COUNT; i++)
        ((uint64_t *)data)[i] = random_next(&random) >> 32;
    unsigned char *truths = memory_need(COUNT, 1);
    for (size_t i = 0; i < COUNT; i++)
        truths[i] = data[8 * i] & 1;
    Record record = {.key = "every", .key_size = 5, .count = DTYPE_COUNT};
    for (int i = 0; i < DTYPE_COUNT; i++)
        record.tensors[i] = record_tensor(dtype_name((DType)i), (DType)i, i == DTYPE_BOOL ? truths : data, 2,
                                          UINT64_C(3), (uint64_t)COUNT / 3);
    json_t *header = header_create("test");
    StreamWriter *writer = stream_writer_open(scratch, header, &error);
    for (int i = 0; i < 3; i++)
        CHECK(stream_writer_put(writer, &record, &error), "%s", error.message);
    CHECK(stream_writer_close(writer, &error), "%s", error.message);
    StreamReader *reader = stream_reader_open(scratch, &error);
    Record got;
    for (int i = 0; i < 3; i++) {
        CHECK(stream_reader_next(reader, &got, &error) == STREAM_RECORD, "%s", error.message);
        for (int j = 0; j < DTYPE_COUNT; j++) {
            const RecordTensor *tensor = record_need(&got, dtype_name((DType)j), (DType)j, 2, &error);
            CHECK(tensor && record_tensor_bytes(tensor) == COUNT * dtype_size((DType)j), "%s", error.message);
            CHECK(tensor && !memcmp(tensor->data, record.tensors[j].data, COUNT * dtype_size((DType)j)));
        }
    }
    CHECK(stream_reader_next(reader, &got, &error) == STREAM_END, "%s", error.message);
    stream_reader_close(reader);
    json_decref(header);
    free(data);
    free(truths);
}

static void writer_refuses_what_no_reader_takes(void) {
    Error error;
    json_t *header = header_create("test");
    StreamWriter *writer = stream_writer_open(scratch, header, &error);
    Record record = one_tensor("v1", record_tensor("x", DTYPE_U8, "ab", 1, UINT64_C(2)));
    record.count = 2;
    record.tensors[1] = record.tensors[0];
    CHECK(!stream_writer_put(writer, &record, &error) && strstr(error.message, "('v1'): two tensors"), "%s",
          error.message);
    record.count = RECORD_MAX_TENSORS + 1;
    CHECK(!stream_writer_put(writer, &record, &error) && strstr(error.message, "17 tensors"), "%s",
          error.message);
    record = one_tensor("v1", record_tensor("", DTYPE_U8, "ab", 1, UINT64_C(2)));
    CHECK(!stream_writer_put(writer, &record, &error) && strstr(error.message, "name"), "%s", error.message);
    record = one_tensor("v1", record_tensor("x", DTYPE_F32, "ab", 2, UINT64_C(1) << 40, UINT64_C(1) << 40));
    CHECK(!stream_writer_put(writer, &record, &error) && strstr(error.message, "counted"), "%s",
          error.message);
    stream_writer_abandon(writer);
    json_t *deep = json_object();
    for (int i = 0; i < SCAN_MAX_DEPTH; i++)
        deep = json_pack("{s:o}", "x", deep);
    json_object_set_new(header, "deep", deep);
    CHECK(!stream_writer_open(scratch, header, &error) && strstr(error.message, "levels"));
    json_decref(header);
}

static void an_unfinished_output_never_appears(void) {
    Error error;
    char path[sizeof scratch + 8];
    snprintf(path, sizeof path, "%s.out", scratch);
    json_t *header = header_create("test");
    stream_writer_abandon(stream_writer_open(path, header, &error));
    CHECK(access(path, F_OK) != 0);
    json_decref(header);
}

/* What it is to be cut anywhere: in the file, and in what its frames hold. */
static void every_cut_is_an_error(void) {
    Error error;
    const Bytes packed = small_stream(), plain = decompress(packed);
    CHECK(read_bytes(packed.at, packed.size, &error) == 3, "%s", error.message);
    CHECK(read_plain(plain.at, plain.size, &error) == 3, "%s", error.message);
    uint64_t index_size; /* before the last word; without its index the stream is whole */
    memcpy(&index_size, packed.at + packed.size - 16, sizeof index_size);
    const size_t whole = packed.size - index_size;
    CHECK(read_bytes(packed.at, whole, &error) == 3, "%s", error.message);
    for (size_t i = 0; i < packed.size; i++) {
        if (i == whole) continue;
        CHECK(read_bytes(packed.at, i, &error) == -1, "a file cut at %zu of %zu passes", i, packed.size);
        CHECK(i < 4 || (i > whole && i < whole + 4) || strstr(error.message, "cut off"), "at %zu: %s", i,
              error.message);
    }
    for (size_t i = 0; i < plain.size; i++) {
        CHECK(read_plain(plain.at, i, &error) == -1, "content cut at %zu of %zu passes", i, plain.size);
        CHECK(i == 0 || strstr(error.message, "cut off"), "at %zu: %s", i, error.message);
    }
    free(packed.at);
    free(plain.at);
}

static void frames_may_be_split_anywhere(void) {
    Error error;
    const Bytes packed = small_stream(), plain = decompress(packed);
    for (size_t i = 0; i <= plain.size; i++) {
        const Bytes head = compress(plain.at, i), tail = compress(plain.at + i, plain.size - i);
        unsigned char *both = memory_need(head.size + tail.size, 1);
        memcpy(both, head.at, head.size);
        memcpy(both + head.size, tail.at, tail.size);
        CHECK(read_bytes(both, head.size + tail.size, &error) == 3, "split at %zu: %s", i, error.message);
        free(both);
        free(head.at);
        free(tail.at);
    }
    free(packed.at);
    free(plain.at);
}

static void every_altered_byte_is_noticed(void) {
    Error error;
    const Bytes packed = small_stream(), plain = decompress(packed);
    static const char end[] =
        "\x84\xa3"
        "end";
    const unsigned char *at = memmem(plain.at, plain.size, end, sizeof end - 1);
    CHECK(at, "the stream has no end record");
    for (size_t i = 0; at && i < (size_t)(at - plain.at); i++)
        for (int bit = 0; bit < 8; bit++) {
            plain.at[i] ^= (unsigned char)(1 << bit);
            CHECK(read_plain(plain.at, plain.size, &error) == -1, "bit %d of byte %zu", bit, i);
            plain.at[i] ^= (unsigned char)(1 << bit);
        }
    free(packed.at);
    free(plain.at);
}

static glob_t conformance(const char *verdict) {
    char pattern[4096];
    const char *project = getenv("PROJECT");
    glob_t files;
    snprintf(pattern, sizeof pattern, "%s/formats/conformance/%s/*.pmt", project ? project : ".", verdict);
    CHECK(glob(pattern, 0, NULL, &files) == 0, "no files %s", pattern);
    return files;
}

static void conformance_streams_get_their_verdict(void) {
    Error error;
    glob_t good = conformance("good"), bad = conformance("bad");
    for (size_t i = 0; i < good.gl_pathc; i++)
        CHECK(read_path(good.gl_pathv[i], &error) >= 0, "%s", error.message);
    for (size_t i = 0; i < bad.gl_pathc; i++) {
        CHECK(read_path(bad.gl_pathv[i], &error) == -1, "%s passes", bad.gl_pathv[i]);
        CHECK(!strncmp(error.message, bad.gl_pathv[i], strlen(bad.gl_pathv[i])), "no file name: %s",
              error.message);
    }
    globfree(&good);
    globfree(&bad);
}

/* Alters a few bytes: to any value, to one that means something to msgpack, or by a bit. */
static void alter(Bytes bytes, Random *random) {
    static const unsigned char telling[] = {0x00, 0x7f, 0x80, 0x8f, 0x90, 0x92, 0x9f, 0xa0, 0xbf,
                                            0xc0, 0xc1, 0xc4, 0xc6, 0xc7, 0xca, 0xcf, 0xd3, 0xd4,
                                            0xd9, 0xdb, 0xdc, 0xdd, 0xde, 0xdf, 0xff};
    for (uint64_t n = 1 + random_below(random, 4); n > 0; n--) {
        unsigned char *byte = &bytes.at[random_below(random, bytes.size)];
        switch (random_below(random, 3)) {
        case 0:
            *byte = (unsigned char)random_next(random);
            break;
        case 1:
            *byte = telling[random_below(random, sizeof telling)];
            break;
        default:
            *byte ^= (unsigned char)(1 << random_below(random, 8));
        }
    }
}

/* Whatever is altered, the reader ends with an answer; the sanitizers watch. */
static void damage_never_crashes(void) {
    enum { ROUNDS = 60 };
    Error error;
    Random random;
    random_seed(&random, 11, 0);
    glob_t good = conformance("good");
    int refused = 0, read = 0;
    for (size_t i = 0; i < good.gl_pathc; i++) {
        const Bytes packed = bytes_of_file(good.gl_pathv[i]), plain = decompress(packed);
        for (int round = 0; round < ROUNDS; round++) {
            const Bytes original = round % 2 ? packed : plain;
            const Bytes altered = {memory_need(original.size, 1), original.size};
            memcpy(altered.at, original.at, original.size);
            alter(altered, &random);
            if (round % 3 == 0) memmove(altered.at, altered.at + 1, altered.size - 1);
            const int count = round % 2 ? read_bytes(altered.at, altered.size, &error)
                                        : read_plain(altered.at, altered.size, &error);
            count < 0 ? refused++ : read++;
            free(altered.at);
        }
        free(packed.at);
        free(plain.at);
    }
    CHECK(refused + read >= 1500 && refused > 10 * read, "%d refused, %d read", refused, read);
    globfree(&good);
}

static void messages_say_what_was_needed(void) {
    Error error;
    const int64_t ids[12] = {0};
    Record record = one_tensor("v17", record_tensor("hidden", DTYPE_I64, ids, 2, UINT64_C(3), UINT64_C(4)));
    record.stream = "text.pmt";
    record.number = 12;
    CHECK(!record_need_float(&record, "hidden", 2, &error));
    CHECK(!strcmp(error.message,
                  "text.pmt: record 12 ('v17'): tensor 'hidden' is i64 [3,4]; expected a float "
                  "tensor of 2 dimensions"),
          "%s", error.message);
    CHECK(!record_need(&record, "hidden", DTYPE_I32, 1, &error));
    CHECK(strstr(error.message, "expected an i32 tensor of 1 dimension"), "%s", error.message);
    CHECK(!record_need(&record, "ids", DTYPE_U8, 1, &error));
    CHECK(strstr(error.message, "no tensor 'ids'; expected a u8 tensor"), "%s", error.message);
    CHECK(record_need(&record, "hidden", DTYPE_I64, 2, &error) == &record.tensors[0]);
    char where[RECORD_WHERE_TEXT];
    record = (Record){.key = "a\tb\n", .key_size = 4, .number = 1};
    record_where(&record, where);
    CHECK(!strcmp(where, "record 1 ('a\\x09b\\x0a')"), "%s", where);
}

static void headers_compare_without_their_provenance(void) {
    json_t *one = header_create("items"), *two = header_create("items");
    json_object_set_new(one, "dim", json_integer(64));
    json_object_set_new(two, "dim", json_integer(64));
    header_sign(one, "pm-fuse", NULL);
    CHECK(header_is_compatible(one, two));
    char text[HEADER_DIFFERENCES_TEXT];
    header_differences(one, two, text);
    CHECK(!*text, "%s", text);
    json_object_set_new(two, "dim", json_integer(768));
    json_object_set_new(two, "encoder", json_pack("{s:i}", "width", 3));
    header_differences(one, two, text);
    CHECK(!header_is_compatible(one, two));
    CHECK(!strcmp(text, "dim is 64 and 768; encoder is absent and {\"width\":3}"), "%s", text);
    json_decref(one);
    json_decref(two);
}

static void descent_is_laid_over_the_hashes(void) {
    json_t *tokens = header_create("tokens"), *hidden = header_create("hidden");
    header_sign(tokens, "pm-tokenize", json_pack("{s:i}", "max-tokens", 50));
    header_add_input(tokens, "items", NULL);
    header_sign(hidden, "pm-encode-text", NULL);
    header_add_input(hidden, "tokens", tokens);
    json_t *content = json_pack("{s:s, s:{s:{s:s, s:{s:{s:s}}}}}", "hash", "h0", "inputs", "tokens", "hash",
                                "h1", "inputs", "items", "hash", "h2");
    json_t *lineage = header_lineage(hidden, content);
    json_t *want = json_loads(
        "{\"format\":\"pmt\",\"version\":1,\"kind\":\"hidden\",\"provenance\":{\"hash\":\"h0\","
        "\"tool\":\"pm-encode-text\",\"version\":\"" PROJECT_VERSION
        "\",\"options\":{},\"inputs\":{\"tokens\":{"
        "\"hash\":\"h1\",\"tool\":\"pm-tokenize\",\"version\":\"" PROJECT_VERSION
        "\",\"options\":{"
        "\"max-tokens\":50},\"inputs\":{\"items\":{\"hash\":\"h2\"}}}}}}",
        0, NULL);
    CHECK(want && json_equal(lineage, want));
    json_decref(tokens);
    json_decref(hidden);
    json_decref(content);
    json_decref(lineage);
    json_decref(want);
}

/* A model trained from a model from a model …: the header stays readable. */
static void old_generations_are_forgotten(void) {
    Error error;
    json_t *header = header_create("model"), *content = json_pack("{s:s}", "hash", "xxh3:0");
    header_sign(header, "pm-train-user", NULL);
    for (int i = 0; i < 40; i++) {
        json_t *next = header_create("model");
        header_sign(next, "pm-train-user", json_pack("{s:[i]}", "seed", i));
        header_add_input(next, "init", header);
        json_decref(header);
        header = next;
        StreamWriter *writer = stream_writer_open(scratch, header, &error);
        CHECK(writer, "generation %d: %s", i, error.message);
        if (!writer) break;
        stream_writer_add_content(writer, "init", content);
        CHECK(stream_writer_close(writer, &error), "%s", error.message);
        StreamReader *reader = stream_reader_open(scratch, &error);
        Record record;
        CHECK(reader && stream_reader_next(reader, &record, &error) == STREAM_END, "generation %d: %s", i,
              error.message);
        if (!reader) break;
        content = stream_reader_content(reader);
        stream_reader_close(reader);
    }
    int generations = 0;
    const json_t *at = json_object_get(header, "provenance");
    for (; at; at = json_object_get(json_object_get(at, "inputs"), "init"))
        generations++;
    CHECK(generations == HEADER_MAX_GENERATIONS + 1, "%d", generations);
    json_decref(header);
    json_decref(content);
}

static void contents_join(void) {
    json_t *one = json_pack("{s:s, s:{s:{s:s}, s:{s:s}}}", "hash", "a", "inputs", "items", "hash", "i",
                            "text", "hash", "t1");
    json_t *two = json_pack("{s:s, s:{s:{s:s}, s:{s:s}, s:{s:s}}}", "hash", "b", "inputs", "items", "hash",
                            "i", "text", "hash", "t2", "image", "hash", "m");
    json_t *joined = content_append(one, two);
    ContentHash *hash = content_hash_create();
    content_hash_update(hash, "ab", 2);
    char ab[CONTENT_HASH_TEXT], t12[CONTENT_HASH_TEXT];
    content_hash_text(hash, ab);
    content_hash_reset(hash);
    content_hash_update(hash, "t1t2", 4);
    content_hash_text(hash, t12);
    json_t *want = json_pack("{s:s, s:{s:{s:s}, s:{s:s}, s:{s:s}}}", "hash", ab, "inputs", "items", "hash",
                             "i", "text", "hash", t12, "image", "hash", "m");
    CHECK(json_equal(joined, want));
    content_hash_destroy(hash);
    json_decref(one);
    json_decref(two);
    json_decref(joined);
    json_decref(want);
}

static void models_join_when_their_tensors_fit(void) {
    Error error;
    json_t *one = json_pack("{s:s, s:{s:i, s:f}, s:{s:i}}", "kind", "model", "config", "dim", 64, "lr", 0.1,
                            "text_encoder", "hidden_size", 8);
    json_t *two = json_pack("{s:s, s:{s:i, s:f, s:i}, s:{s:i}}", "kind", "model", "config", "dim", 64, "lr",
                            0.2, "user-heads", 2, "image_encoder", "hidden_size", 9);
    CHECK(model_header_merge(one, two, &error), "%s", error.message);
    const json_t *config = json_object_get(one, "config");
    CHECK(json_real_value(json_object_get(config, "lr")) == 0.1);
    CHECK(json_integer_value(json_object_get(config, "user-heads")) == 2);
    CHECK(json_object_get(one, "image_encoder") && json_object_get(one, "text_encoder"));
    json_object_set_new(json_object_get(two, "config"), "dim", json_integer(32));
    json_object_set_new(two, "text_encoder", json_pack("{s:i}", "hidden_size", 7));
    CHECK(!model_header_merge(one, two, &error));
    CHECK(strstr(error.message, "dim is 64 and 32") &&
              strstr(error.message, "text_encoder.hidden_size is 8 and 7"),
          "%s", error.message);
    json_decref(one);
    json_decref(two);
}

static void scan_is_the_same_in_any_pieces(void) {
    static const ScanLimits limits = {
        .bytes = 1000, .elements = 50, .text = 100, .data_depth = 9, .depth = 5};
    static const unsigned char object[] =
        "\x83\xa1"
        "a\x93\x01\xc4\x03xyz\xcb\0\0\0\0\0\0\0\0\xa1"
        "b\x80\xd9\x02xx\x91\x90";
    const size_t size = sizeof object - 1;
    MsgpackScan scan = {0};
    for (size_t i = 0; i < size; i++)
        CHECK(msgpack_scan(&scan, &limits, object, i) == SCAN_MORE, "whole at %zu", i);
    CHECK(msgpack_scan(&scan, &limits, object, size) == SCAN_WHOLE && scan.at == size);
    scan = (MsgpackScan){0};
    CHECK(msgpack_scan(&scan, &limits, object, sizeof object) == SCAN_WHOLE && scan.at == size);
}

static void scan_keeps_its_limits(void) {
    static const ScanLimits limits = {.bytes = 90, .elements = 10, .text = 20, .data_depth = 1, .depth = 2};
    static const struct {
        const char *object;
        size_t size;
        ScanStatus status;
    } cases[] = {
        {"\x91\x91\xc0", 3, SCAN_WHOLE},
        {"\x91\x91\x91\xc0", 4, SCAN_BAD},
        {"\xdd\0\0\0\x09", 5, SCAN_MORE},
        {"\xdd\0\0\0\x0a", 5, SCAN_BAD},
        {"\xdf\0\0\0\x05", 5, SCAN_BAD},
        {"\xdd\xff\xff\xff\xff", 5, SCAN_BAD},
        {"\xd9\x14", 2, SCAN_MORE},
        {"\xd9\x15", 2, SCAN_BAD},
        {"\xc4\x15", 2, SCAN_BAD},
        {"\x91\xc4\x15", 3, SCAN_MORE},
        {"\x91\xc4\x57", 3, SCAN_MORE},
        {"\x91\xc4\x58", 3, SCAN_BAD},
        {"\xc1", 1, SCAN_BAD},
        {"\xd4\x01\x01", 3, SCAN_BAD},
        {"\xc7\x01", 2, SCAN_BAD},
        {"\x90", 1, SCAN_WHOLE},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        MsgpackScan scan = {0};
        const ScanStatus status =
            msgpack_scan(&scan, &limits, (const unsigned char *)cases[i].object, cases[i].size);
        CHECK(status == cases[i].status, "case %zu gives %d", i, status);
    }
}

/* Between records that are read as always, tensors move out of the reader. */
static void taken_data_belong_to_the_caller(void) {
    enum { RECORDS = 6, LARGE = 700001 };
    Error error;
    float *numbers = memory_need(LARGE, sizeof *numbers), *taken[RECORDS] = {0};
    for (size_t i = 0; i < LARGE; i++)
        numbers[i] = (float)i;
    write_scratch("", 0);
    json_t *header = header_create("model");
    StreamWriter *writer = stream_writer_open(scratch, header, &error);
    json_decref(header);
    for (size_t i = 0; i < RECORDS; i++) {
        Record record = {.key = "abc" + i % 3, .key_size = 3 - i % 3, .count = 2};
        record.tensors[0] = record_tensor("x", DTYPE_F32, numbers, 1, (uint64_t)(i == 4 ? 0 : LARGE - i));
        record.tensors[1] = record_tensor("value", DTYPE_F32, numbers + i, 1, (uint64_t)(LARGE - i));
        CHECK(stream_writer_put(writer, &record, &error), "%s", error.message);
    }
    CHECK(stream_writer_close(writer, &error), "%s", error.message);
    StreamReader *reader = stream_reader_open(scratch, &error);
    for (size_t i = 0; i < RECORDS; i++) {
        Record record;
        CHECK(stream_reader_next(reader, &record, &error) == STREAM_RECORD, "%s", error.message);
        CHECK(!strcmp(record.key, "abc" + i % 3));
        CHECK(record_tensor_elements(&record.tensors[1]) == LARGE - i);
        if (i % 2 == 0) taken[i] = stream_reader_take(reader, &record.tensors[i == 4 ? 0 : 1]);
    }
    Record record;
    CHECK(stream_reader_next(reader, &record, &error) == STREAM_END, "%s", error.message);
    stream_reader_close(reader);
    for (size_t i = 0; i < RECORDS; i += 2) {
        CHECK((uintptr_t)taken[i] % sizeof(float) == 0);
        if (i != 4) CHECK(!memcmp(taken[i], numbers + i, (LARGE - i) * sizeof *numbers), "record %zu", i);
        free(taken[i]);
    }
    free(numbers);
}

RUN_TESTS(TEST(small_stream_comes_back), TEST(same_input_same_bytes), TEST(every_dtype_and_large_data),
          TEST(writer_refuses_what_no_reader_takes), TEST(an_unfinished_output_never_appears),
          TEST(taken_data_belong_to_the_caller), TEST(every_cut_is_an_error),
          TEST(frames_may_be_split_anywhere), TEST(every_altered_byte_is_noticed),
          TEST(conformance_streams_get_their_verdict), TEST(damage_never_crashes),
          TEST(messages_say_what_was_needed), TEST(headers_compare_without_their_provenance),
          TEST(descent_is_laid_over_the_hashes), TEST(old_generations_are_forgotten), TEST(contents_join),
          TEST(models_join_when_their_tensors_fit), TEST(scan_is_the_same_in_any_pieces),
          TEST(scan_keeps_its_limits))

#include "stream_files.h"

#include "core/memory.h"
#include "core/parallel.h"
#include "core/random.h"
#include "data/feature_store.h"

#include <signal.h>
#include <sys/resource.h>

#define MEMORY_LIMIT ((size_t)1 << 24)

static json_t *hidden_header(const char *modality, json_t *blocks, int width) {
    json_t *header = header_create("hidden");
    json_object_set_new(header, "modality", json_string(modality));
    json_object_set_new(header, "blocks", blocks);
    json_object_set_new(header, "width", json_integer(width));
    return header;
}

static json_t *kind_header(const char *kind, const char *key, int value) {
    json_t *header = header_create(kind);
    json_object_set_new(header, key, json_integer(value));
    return header;
}

static void key_of(size_t item, char key[16]) {
    snprintf(key, 16, "v%zu", item);
}

enum { ITEMS = 100, WIDTH = 7 };

static uint64_t rows_of(size_t item) {
    return item * 5 % 11; /* item 0 has none */
}

/* The bits of element `i` of an item; a finite value in both half dtypes. */
static uint16_t half_of(size_t item, size_t i) {
    return (uint16_t)(random_hash(item, i) & 0xbbff);
}

static float float_of(size_t item, size_t i) {
    return (float)(int32_t)(random_hash(item, i) & 0xffffff) * -0.37f;
}

static void fill_values(DType dtype, size_t item, size_t count, unsigned char *bytes) {
    for (size_t i = 0; i < count; i++) {
        const float value = float_of(item, i);
        const uint16_t half = half_of(item, i);
        if (dtype == DTYPE_F32)
            memcpy(bytes + 4 * i, &value, 4);
        else if (dtype == DTYPE_I8)
            bytes[i] = (unsigned char)half;
        else
            memcpy(bytes + 2 * i, &half, 2);
    }
}

static float scale_of(size_t item, size_t row) {
    return fabsf(float_of(item + ITEMS, row));
}

static void put_hidden(StreamWriter *writer, DType dtype, size_t item, const unsigned char *bytes) {
    float scales[11];
    char key[16];
    Error error = {""};
    key_of(item, key);
    Record record = {.key = key, .key_size = strlen(key), .count = dtype == DTYPE_I8 ? 2 : 1};
    record.tensors[0] = record_tensor("hidden", dtype, bytes, 2, rows_of(item), (uint64_t)WIDTH);
    record.tensors[1] = record_tensor("scale", DTYPE_F32, scales, 1, rows_of(item));
    for (size_t row = 0; row < rows_of(item); row++)
        scales[row] = scale_of(item, row);
    CHECK(stream_writer_put(writer, &record, &error), "%s", error.message);
}

static const char *write_hidden(DType dtype) {
    const char *path = stream_path("hidden.pmt");
    StreamWriter *writer = stream_start(path, hidden_header("image", json_integer(3), WIDTH));
    for (size_t item = 0; item < ITEMS; item++) {
        unsigned char bytes[4 * 11 * WIDTH];
        fill_values(dtype, item, rows_of(item) * WIDTH, bytes);
        put_hidden(writer, dtype, item, bytes);
    }
    stream_finish(writer);
    return path;
}

/* By the definition of the formats, without core/dtype. */
static float value_of(DType dtype, size_t item, size_t i) {
    if (dtype == DTYPE_F32) return float_of(item, i);
    if (dtype == DTYPE_I8) return (float)(int8_t)half_of(item, i) * scale_of(item, i / WIDTH);
    const int fraction_bits = dtype == DTYPE_BF16 ? 7 : 10, bias = dtype == DTYPE_BF16 ? 127 : 15;
    const int half = half_of(item, i), mask = (1 << fraction_bits) - 1;
    const int exponent = (half & 0x7fff) >> fraction_bits, fraction = half & mask;
    const double magnitude = exponent ? ldexp(1 + ldexp(fraction, -fraction_bits), exponent - bias)
                                      : ldexp(fraction, 1 - bias - fraction_bits);
    return (float)(half & 0x8000 ? -magnitude : magnitude);
}

/* A batch in an order of its own, item 42 twice; every gathered bit. */
static void check_gathered(const FeatureStore *store, DType dtype) {
    enum { COUNT = ITEMS + 1 };
    uint32_t items[COUNT];
    size_t offsets[COUNT + 1], rows = 0;
    for (uint32_t i = 0; i < COUNT; i++)
        items[i] = i == ITEMS ? 42 : i * 37 % ITEMS;
    feature_store_offsets(store, items, COUNT, offsets);
    float *values = memory_need(offsets[COUNT] * WIDTH + 1, sizeof *values);
    values[offsets[COUNT] * WIDTH] = 12345;
    feature_store_gather_rows(store, items, COUNT, values);
    size_t wrong = 0;
    for (size_t i = 0; i < COUNT; i++) {
        CHECK(offsets[i] == rows, "item %zu of the batch", i);
        CHECK(feature_store_rows(store, items[i]) == rows_of(items[i]), "item %u", items[i]);
        rows += rows_of(items[i]);
        for (size_t j = 0; j < rows_of(items[i]) * WIDTH; j++) {
            const float want = value_of(dtype, items[i], j);
            wrong += memcmp(&values[offsets[i] * WIDTH + j], &want, sizeof want) != 0;
        }
    }
    CHECK(offsets[COUNT] == rows);
    CHECK(!wrong, "%s: %zu values differ", dtype_name(dtype), wrong);
    CHECK(values[offsets[COUNT] * WIDTH] == 12345, "written behind the end");
    free(values);
}

static void check_hidden(DType dtype, size_t memory_limit, bool in_file) {
    FeatureStore store;
    Error error = {""};
    const bool fine = feature_store_read(&store, write_hidden(dtype), memory_limit, &error);
    CHECK(fine, "%s", error.message);
    if (!fine) return;
    CHECK(store.kind == FEATURE_HIDDEN && store.dtype == dtype && store.width == WIDTH && store.blocks == 3);
    CHECK(!strcmp(store.modality, "image"));
    CHECK(feature_store_items(&store) == ITEMS);
    CHECK(name_table_find(store.items.names, "v31", 3) == 31);
    CHECK(json_is_string(json_object_get(store.content, "hash")));
    CHECK(store.rows.in_file == in_file);
    for (int threads = 1; threads <= 3; threads += 2) {
        parallel_set_threads(threads);
        check_gathered(&store, dtype);
    }
    feature_store_free(&store);
    feature_store_free(&store);
    CHECK(stream_folder_files(false) == 1, "only the stream is left in the folder");
}

static void hidden_states_keep_every_bit(void) {
    check_hidden(DTYPE_F32, MEMORY_LIMIT, false);
    check_hidden(DTYPE_BF16, MEMORY_LIMIT, false);
    check_hidden(DTYPE_F16, MEMORY_LIMIT, false);
    check_hidden(DTYPE_I8, MEMORY_LIMIT, false);
}

static void more_than_the_limit_goes_into_a_file(void) {
    stream_path("");
    setenv("TMPDIR", stream_folder, 1);
    check_hidden(DTYPE_F32, 1000, true);
    check_hidden(DTYPE_BF16, 1, true);
    check_hidden(DTYPE_F16, 0, true);
    check_hidden(DTYPE_I8, 1000, true);
    unsetenv("TMPDIR");
}

static void tokens_are_gathered(void) {
    static const int32_t ids[] = {0, 250001, 2, 7, 7};
    const char *path = stream_path("tokens.pmt");
    StreamWriter *writer = stream_start(path, kind_header("tokens", "vocabulary_size", 250002));
    stream_put(writer, "a", record_tensor("ids", DTYPE_I32, ids, 1, UINT64_C(3)));
    stream_put(writer, "none", record_tensor("ids", DTYPE_I32, ids, 1, UINT64_C(0)));
    stream_put(writer, "b", record_tensor("ids", DTYPE_I32, ids + 3, 1, UINT64_C(2)));
    stream_finish(writer);
    FeatureStore store;
    Error error = {""};
    CHECK(feature_store_read(&store, path, MEMORY_LIMIT, &error), "%s", error.message);
    CHECK(store.kind == FEATURE_TOKENS && store.width == 1 && store.blocks == FEATURE_BLOCKS_NONE);
    CHECK(store.largest_id == 250001 && !strcmp(store.modality, "text"));
    const uint32_t items[] = {2, 1, 0, 2}, want[] = {7, 7, 0, 250001, 2, 7, 7};
    size_t offsets[5];
    uint32_t got[7];
    feature_store_offsets(&store, items, 4, offsets);
    CHECK(offsets[1] == 2 && offsets[2] == 2 && offsets[3] == 5 && offsets[4] == 7);
    feature_store_gather_ids(&store, items, 4, got);
    CHECK(!memcmp(got, want, sizeof want));
    feature_store_free(&store);
}

static void bytes_of_pixels_are_normalised(void) {
    enum { SIZE = 10, AREA = SIZE * SIZE };
    uint8_t pixels[2][AREA][3];
    for (int i = 0; i < 2 * AREA * 3; i++)
        ((uint8_t *)pixels)[i] = (uint8_t)(i < 256 ? i : 31 * i);
    const char *path = stream_path("pixels.pmt");
    StreamWriter *writer = stream_start(path, kind_header("pixels", "size", SIZE));
    for (int i = 0; i < 2; i++)
        stream_put(
            writer, i ? "b" : "a",
            record_tensor("pixels", DTYPE_U8, pixels[i], 3, (uint64_t)SIZE, (uint64_t)SIZE, UINT64_C(3)));
    stream_finish(writer);
    FeatureStore store;
    Error error = {""};
    CHECK(feature_store_read(&store, path, MEMORY_LIMIT, &error), "%s", error.message);
    CHECK(store.kind == FEATURE_PIXELS && store.dtype == DTYPE_U8 && store.pixel_size == SIZE);
    const uint32_t items[] = {1, 0};
    float got[2][3][AREA];
    feature_store_gather_pixels(&store, items, 2, &got[0][0][0]);
    int wrong = 0;
    for (int i = 0; i < 2; i++)
        for (int channel = 0; channel < 3; channel++)
            for (int at = 0; at < AREA; at++)
                wrong += got[i][channel][at] != ((float)pixels[items[i]][at][channel] / 255.0f - 0.5f) / 0.5f;
    CHECK(!wrong, "%d values differ", wrong);
    CHECK(got[1][0][0] == -1 && got[1][0][85] == 1, "black is −1, white (byte 255) is 1");
    feature_store_free(&store);
}

static const char *write_images(int count, uint32_t size) {
    const char *path = stream_path("images.lmdb");
    Error error = {""};
    ImageStoreWriter *writer = image_store_create(path, size, &error);
    CHECK(writer, "%s", error.message);
    if (!writer) exit(1);
    uint8_t *pixels = memory_need((size_t)3 * size * size, 1);
    for (int item = 0; item < count; item++) {
        char key[16];
        key_of((size_t)(count - item), key); /* not in the order of the keys */
        for (size_t i = 0; i < (size_t)3 * size * size; i++)
            pixels[i] = (uint8_t)random_hash((uint64_t)item, i);
        CHECK(image_store_put(writer, key, strlen(key), pixels, &error), "%s", error.message);
    }
    free(pixels);
    json_t *header = json_object();
    header_sign(header, "test", json_object());
    CHECK(image_store_commit(writer, NULL, header, NULL, &error), "%s", error.message);
    return path;
}

static void an_image_store_is_read_where_it_lies(void) {
    enum { SIZE = 9, COUNT = 12, AREA = SIZE * SIZE };
    FeatureStore store;
    Error error = {""};
    const bool fine = feature_store_read(&store, write_images(COUNT, SIZE), 0, &error);
    CHECK(fine, "%s", error.message);
    if (!fine) return;
    CHECK(store.kind == FEATURE_PIXELS && store.dtype == DTYPE_U8 && store.pixel_size == SIZE);
    CHECK(store.blocks == FEATURE_BLOCKS_NONE && !strcmp(store.modality, "image"));
    CHECK(feature_store_items(&store) == COUNT && name_table_find(store.items.names, "v12", 3) == 0);
    CHECK(!store.rows.size, "nothing is copied");
    CHECK(json_is_string(json_object_get(store.content, "hash")));
    const uint32_t items[] = {11, 0, 5, 0};
    size_t offsets[5];
    float got[4][3][AREA];
    feature_store_offsets(&store, items, 4, offsets);
    CHECK(offsets[4] == 4);
    feature_store_gather_pixels(&store, items, 4, &got[0][0][0]);
    int wrong = 0;
    for (size_t i = 0; i < 4; i++)
        for (size_t at = 0; at < 3 * AREA; at++) {
            const uint8_t byte = (uint8_t)random_hash(items[i], at);
            wrong += got[i][at % 3][at / 3] != ((float)byte / 255.0f - 0.5f) / 0.5f;
        }
    CHECK(!wrong, "%d values differ", wrong);
    feature_store_free(&store);
}

static void normalised_pixels_and_vectors_are_copied(void) {
    static const float values[] = {1, -2, 3.5f, 0, 1e-30f, -1e30f, 8, 9, 10, 11, 12, 13};
    const char *path = stream_path("pixels.pmt");
    StreamWriter *writer = stream_start(path, kind_header("pixels", "size", 2));
    stream_put(writer, "a",
               record_tensor("pixels", DTYPE_F32, values, 3, UINT64_C(3), UINT64_C(2), UINT64_C(2)));
    stream_finish(writer);
    FeatureStore store;
    Error error = {""};
    float got[12];
    const uint32_t items[] = {0, 1};
    CHECK(feature_store_read(&store, path, MEMORY_LIMIT, &error), "%s", error.message);
    feature_store_gather_pixels(&store, items, 1, got);
    CHECK(!memcmp(got, values, sizeof values));
    feature_store_free(&store);

    path = stream_path("items.pmt");
    writer = stream_start(path, kind_header("items", "dim", 6));
    stream_put(writer, "a", record_tensor("vector", DTYPE_F32, values, 1, UINT64_C(6)));
    stream_put(writer, "b", record_tensor("vector", DTYPE_F32, values + 6, 1, UINT64_C(6)));
    stream_finish(writer);
    CHECK(feature_store_read(&store, path, MEMORY_LIMIT, &error), "%s", error.message);
    CHECK(store.kind == FEATURE_VECTORS && store.width == 6 && !store.modality);
    feature_store_gather_rows(&store, items, 2, got);
    CHECK(!memcmp(got, values, sizeof values));
    feature_store_free(&store);
}

static void the_last_block_may_be_a_word(void) {
    static const float values[] = {1, 2};
    const char *path = stream_path("hidden.pmt");
    StreamWriter *writer = stream_start(path, hidden_header("text", json_string("last"), 2));
    stream_put(writer, "a", record_tensor("hidden", DTYPE_F32, values, 2, UINT64_C(1), UINT64_C(2)));
    stream_finish(writer);
    FeatureStore store;
    Error error = {""};
    CHECK(feature_store_read(&store, path, MEMORY_LIMIT, &error), "%s", error.message);
    CHECK(store.blocks == FEATURE_BLOCKS_LAST && !strcmp(store.modality, "text"));
    feature_store_free(&store);
}

/* Reading must fail, and the message hold all of `parts`. */
static void check_refused(const char *path, const char *const *parts) {
    FeatureStore store;
    Error error = {""};
    const bool fine = feature_store_read(&store, path, MEMORY_LIMIT, &error);
    CHECK(!fine, "%s", *parts);
    if (fine) feature_store_free(&store);
    for (; *parts; parts++)
        CHECK(strstr(error.message, *parts), "'%s' is not in: %s", *parts, error.message);
}

#define CHECK_REFUSED(path, ...) check_refused(path, (const char *const[]){__VA_ARGS__, NULL})

/* A stream of the items "a" and "b". */
static const char *two_records(json_t *header, RecordTensor first, RecordTensor second, const char *key) {
    const char *path = stream_path("bad.pmt");
    StreamWriter *writer = stream_start(path, header);
    stream_put(writer, "a", first);
    stream_put(writer, key, second);
    stream_finish(writer);
    return path;
}

static void bad_records_are_refused(void) {
    static const float values[8] = {0}, infinite[] = {1, INFINITY}, nothing[] = {NAN, 1};
    static const uint16_t bf16_infinite[] = {0x3f80, 0x7f80}, f16_nan[] = {0x7e00, 0};
    const RecordTensor good = record_tensor("hidden", DTYPE_F32, values, 2, UINT64_C(1), UINT64_C(2));
    const struct {
        const char *key, *part, *more;
        RecordTensor tensor;
    } cases[] = {
        {"a", "record 1 is the same item", "record 2 ('a')", good},
        {"b", "is bf16, but f32 in record 1", "record 2 ('b')",
         record_tensor("hidden", DTYPE_BF16, values, 2, UINT64_C(1), UINT64_C(2))},
        {"b", "f32 [1,3]", "the header says width 2",
         record_tensor("hidden", DTYPE_F32, values, 2, UINT64_C(1), UINT64_C(3))},
        {"b", "no tensor 'hidden'", "record 2 ('b')",
         record_tensor("vector", DTYPE_F32, values, 1, UINT64_C(2))},
        {"b", "f32 [2]; expected a float tensor of 2", "record 2 ('b')",
         record_tensor("hidden", DTYPE_F32, values, 1, UINT64_C(2))},
        {"b", "u8 [1,2]; expected a float tensor", "record 2 ('b')",
         record_tensor("hidden", DTYPE_U8, values, 2, UINT64_C(1), UINT64_C(2))},
        {"b", "no tensor 'scale'", "record 2 ('b')",
         record_tensor("hidden", DTYPE_I8, values, 2, UINT64_C(1), UINT64_C(2))},
        {"b", "infinite or no number", "record 2 ('b')",
         record_tensor("hidden", DTYPE_F32, infinite, 2, UINT64_C(1), UINT64_C(2))},
        {"b", "infinite or no number", "tensor 'hidden'",
         record_tensor("hidden", DTYPE_F32, nothing, 2, UINT64_C(1), UINT64_C(2))},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        CHECK_REFUSED(
            two_records(hidden_header("text", json_integer(0), 2), good, cases[i].tensor, cases[i].key),
            "bad.pmt: record 2", cases[i].part, cases[i].more);
    RecordTensor half = record_tensor("hidden", DTYPE_BF16, bf16_infinite, 2, UINT64_C(1), UINT64_C(2));
    CHECK_REFUSED(two_records(hidden_header("text", json_integer(0), 2), half, half, "b"), "record 1 ('a')",
                  "infinite or no number");
    half = record_tensor("hidden", DTYPE_F16, f16_nan, 2, UINT64_C(1), UINT64_C(2));
    CHECK_REFUSED(two_records(hidden_header("text", json_integer(0), 2), half, half, "b"), "record 1 ('a')",
                  "infinite or no number");
}

static void bad_ids_and_pixels_are_refused(void) {
    static const int32_t below[] = {3, -1}, above[] = {9, 10};
    static const uint8_t pixels[64] = {0};
    RecordTensor tensor = record_tensor("ids", DTYPE_I32, below, 1, UINT64_C(2));
    CHECK_REFUSED(two_records(kind_header("tokens", "vocabulary_size", 10), tensor, tensor, "b"),
                  "record 1 ('a')", "token 2 has the id -1", "from 0 to 9");
    CHECK_REFUSED(two_records(kind_header("tokens", "max_tokens", 50), tensor, tensor, "b"),
                  "token 2 has the id -1", "from 0 to 2147483647");
    tensor = record_tensor("ids", DTYPE_I32, above, 1, UINT64_C(2));
    CHECK_REFUSED(two_records(kind_header("tokens", "vocabulary_size", 10), tensor, tensor, "b"),
                  "token 2 has the id 10", "from 0 to 9");
    tensor = record_tensor("pixels", DTYPE_U8, pixels, 3, UINT64_C(3), UINT64_C(2), UINT64_C(2));
    CHECK_REFUSED(two_records(kind_header("pixels", "size", 2), tensor, tensor, "b"), "u8 [3,2,2]", "size 2");
    tensor = record_tensor("pixels", DTYPE_F32, pixels, 3, UINT64_C(2), UINT64_C(2), UINT64_C(3));
    CHECK_REFUSED(two_records(kind_header("pixels", "size", 2), tensor, tensor, "b"), "f32 [2,2,3]",
                  "size 2");
    tensor = record_tensor("pixels", DTYPE_F16, pixels, 3, UINT64_C(3), UINT64_C(2), UINT64_C(2));
    CHECK_REFUSED(two_records(kind_header("pixels", "size", 2), tensor, tensor, "b"), "expected a f32");
    tensor = record_tensor("vector", DTYPE_F32, pixels, 1, UINT64_C(3));
    CHECK_REFUSED(two_records(kind_header("items", "dim", 2), tensor, tensor, "b"), "f32 [3]", "dim 2");
}

static void bad_headers_are_refused(void) {
    static const float values[2] = {0};
    const RecordTensor tensor = record_tensor("hidden", DTYPE_F32, values, 2, UINT64_C(1), UINT64_C(2));
    const struct {
        json_t *header;
        const char *part;
    } cases[] = {
        {hidden_header("text", json_integer(0), 0), "'width' is 0"},
        {hidden_header("text", json_integer(0), 1 << 30), "'width' is 1073741824"},
        {hidden_header("text", json_integer(-1), 2), "'blocks' is -1"},
        {hidden_header("text", json_string("first"), 2), "'blocks' is \"first\""},
        {hidden_header("text", json_null(), 2), "'blocks' is not a whole number"},
        {hidden_header("sound", json_integer(0), 2), "'modality' is \"sound\""},
        {header_create("hidden"), "no 'width'"},
        {header_create("items"), "no 'dim'"},
        {kind_header("pixels", "size", 5000), "'size' is 5000"},
        {header_create("model"), "kind 'model'"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        CHECK_REFUSED(two_records(cases[i].header, tensor, tensor, "b"), "bad.pmt: ", cases[i].part);
}

static void cut_and_empty_streams_are_refused(void) {
    const char *path = write_hidden(DTYPE_F32);
    CHECK(!truncate(path, 3000));
    CHECK_REFUSED(path, "hidden.pmt: ", "cut off");
    CHECK_REFUSED(write_images(0, 4), "images.lmdb: not a single item");
    path = write_images(2, 200);
    FILE *file = fopen(path, "r+b"); /* one byte of the second image's */
    CHECK(file && !fseek(file, -50000, SEEK_END) && fputc(0, file) == 0 && fputc(0, file) == 0 &&
          !fclose(file));
    CHECK_REFUSED(path, "images.lmdb: damaged");
    path = stream_path("empty.pmt");
    stream_finish(stream_start(path, hidden_header("text", json_integer(0), 2)));
    CHECK_REFUSED(path, "empty.pmt: not a single item");
    CHECK_REFUSED(stream_path("absent.pmt"), "absent.pmt", "No such file");
}

static void check_scratch_refused(size_t limit, const char *const *parts) {
    FeatureStore store;
    Error error = {""};
    CHECK(!feature_store_read(&store, write_hidden(DTYPE_F32), limit, &error));
    for (; *parts; parts++)
        CHECK(strstr(error.message, *parts), "'%s' is not in: %s", *parts, error.message);
}

/* A limit on the size of files stands for a full disk: write() fails in both cases. */
static void a_scratch_folder_without_room_is_an_error(void) {
    const char *path = write_hidden(DTYPE_F32);
    setenv("TMPDIR", "/nowhere", 1);
    check_scratch_refused(1000, (const char *const[]){"hidden.pmt: ", "/nowhere", "TMPDIR", NULL});
    stream_path("");
    setenv("TMPDIR", stream_folder, 1);
    struct rlimit before, small;
    getrlimit(RLIMIT_FSIZE, &before);
    signal(SIGXFSZ, SIG_IGN);
    static const rlim_t sizes[] = {500, 2000}; /* full while memory moves, and after it */
    for (size_t i = 0; i < 2; i++) {
        FeatureStore store;
        Error error = {""};
        small = (struct rlimit){sizes[i], before.rlim_max};
        setrlimit(RLIMIT_FSIZE, &small);
        CHECK(!feature_store_read(&store, path, 1000, &error));
        setrlimit(RLIMIT_FSIZE, &before);
        CHECK(strstr(error.message, "hidden.pmt: cannot write a scratch file in /tmp/pm-test-streams.") &&
                  strstr(error.message, "TMPDIR") && strstr(error.message, "File too large"),
              "%s", error.message);
    }
    signal(SIGXFSZ, SIG_DFL);
    unsetenv("TMPDIR");
    remove_stream_folder();
    CHECK(access(stream_folder, F_OK), "the folder is empty, and so can be removed");
    *stream_folder = 0;
}

static void growing_memory_keeps_what_is_appended(void) {
    enum { PIECE = 1 << 20, PIECES = 40 };
    unsigned char *piece = memory_need(PIECE, 1);
    const size_t limits[] = {SIZE_MAX, (size_t)33 * PIECE + 5}; /* the second moves in several steps */
    for (size_t i = 0; i < 2; i++) {
        GrowingMemory memory = growing_memory_start(limits[i]);
        Error error = {""};
        for (int n = 0; n < PIECES; n++) {
            memset(piece, n + 1, PIECE);
            CHECK(growing_memory_append(&memory, piece, PIECE - 3, &error), "%s", error.message);
        }
        CHECK(growing_memory_finish(&memory, &error), "%s", error.message);
        CHECK(memory.size == (size_t)PIECES * (PIECE - 3));
        size_t wrong = 0;
        for (size_t at = 0; at < memory.size; at++)
            wrong += memory.bytes[at] != at / (PIECE - 3) + 1;
        CHECK(!wrong, "%zu bytes differ", wrong);
        growing_memory_free(&memory);
        growing_memory_free(&memory);
    }
    free(piece);
}

RUN_TESTS(TEST(hidden_states_keep_every_bit), TEST(more_than_the_limit_goes_into_a_file),
          TEST(tokens_are_gathered), TEST(bytes_of_pixels_are_normalised),
          TEST(an_image_store_is_read_where_it_lies), TEST(normalised_pixels_and_vectors_are_copied),
          TEST(the_last_block_may_be_a_word), TEST(bad_records_are_refused),
          TEST(bad_ids_and_pixels_are_refused), TEST(bad_headers_are_refused),
          TEST(cut_and_empty_streams_are_refused), TEST(a_scratch_folder_without_room_is_an_error),
          TEST(growing_memory_keeps_what_is_appended))

/* The encoder with frames of some hundred bytes, so that small streams have many, and large ones among them.
 */
#define STREAM_FRAME_BYTES ((size_t)512)
#define STREAM_LARGE_BYTES ((size_t)4096)
#include "../../lib/stream/frame_encoder.c"

#include "core/memory.h"
#include "core/random.h"
#include "stream/index_layout.h"
#include "stream/key_sort.h"
#include "stream/reader.h"
#include "stream/reindex.h"
#include "stream_files.h"

enum { RECORDS = 300 };

typedef struct Bytes {
    unsigned char *at;
    size_t size;
} Bytes;

static Bytes bytes_of(const char *path) {
    Error error;
    Bytes bytes;
    bytes.at = file_read(path, 1 << 26, &bytes.size, &error);
    CHECK(bytes.at, "%s", error.message);
    return bytes;
}

static void write_bytes_to(const char *path, Bytes bytes) {
    FILE *file = fopen(path, "wb");
    CHECK(fwrite(bytes.at, 1, bytes.size, file) == bytes.size);
    fclose(file);
}

/* Record i has the key "i" and numbers that begin with i; every 50th is large. */
static void write_numbers(const char *path, size_t records) {
    static float numbers[3000];
    Random random;
    random_seed(&random, 5, 0);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        numbers[i] = (float)random_below(&random, 1000);
    StreamWriter *writer = stream_start(path, header_create("items"));
    for (size_t i = 0; i < records; i++) {
        char key[16];
        snprintf(key, sizeof key, "%zu", i);
        numbers[0] = (float)i;
        stream_put(writer, key,
                   record_tensor("x", DTYPE_F32, numbers, 1, (uint64_t)(i % 50 == 49 ? 3000 : 1 + i % 40)));
    }
    stream_finish(writer);
}

static bool is_number(const Record *record, uint64_t i) {
    float first;
    char key[16];
    snprintf(key, sizeof key, "%zu", (size_t)i);
    memcpy(&first, record->tensors[0].data, sizeof first);
    return !strcmp(record->key, key) && first == (float)i;
}

/* The number of records, or −1. */
static int read_all(const char *path, Error *error) {
    StreamReader *reader = stream_reader_open(path, error);
    Record record;
    StreamStatus status = STREAM_ERROR;
    int count = 0;
    if (reader)
        for (; (status = stream_reader_next(reader, &record, error)) == STREAM_RECORD; count++) {
        }
    stream_reader_close(reader);
    return status == STREAM_END ? count : -1;
}

static StreamReader *open_path(const char *path) {
    Error error;
    StreamReader *reader = stream_reader_open(path, &error);
    CHECK(reader, "%s", error.message);
    if (!reader) exit(1);
    return reader;
}

static void every_record_can_be_sought(void) {
    Error error;
    Record record;
    const char *path = stream_path("a.pmt");
    write_numbers(path, RECORDS);
    StreamReader *reader = open_path(path);
    const StreamIndex *index = stream_reader_index(reader);
    CHECK(index && index->records == RECORDS && index->frame_count > 20 && index->segment_count == 1);
    for (uint64_t n = 0; n < 2 * RECORDS; n++) {
        const uint64_t i = n * 7 % RECORDS, count = i + 3 <= RECORDS ? 3 : 1;
        CHECK(stream_reader_seek(reader, i + 1, count, &error), "%s", error.message);
        for (uint64_t j = 0; j < count; j++) {
            CHECK(stream_reader_next(reader, &record, &error) == STREAM_RECORD, "%s", error.message);
            CHECK(record.number == i + j + 1 && is_number(&record, i + j), "record %zu", (size_t)i);
        }
        CHECK(stream_reader_next(reader, &record, &error) == STREAM_END);
    }
    json_t *claimed = stream_reader_content(reader);
    stream_reader_close(reader);
    reader = open_path(path);
    while (stream_reader_next(reader, &record, &error) == STREAM_RECORD) {
    }
    json_t *content = stream_reader_content(reader);
    CHECK(json_equal(claimed, content));
    json_decref(claimed);
    json_decref(content);
    stream_reader_close(reader);
}

static void keys_are_found_by_their_hash(void) {
    Error error;
    uint64_t numbers[4];
    size_t count;
    enum { MANY = 20000 }; /* more than are read at once */
    const char *path = stream_path("a.pmt");
    write_numbers(path, MANY);
    StreamReader *reader = open_path(path);
    const StreamIndex *index = stream_reader_index(reader);
    for (uint64_t i = 0; i < MANY + 1000; i++) {
        char key[16];
        const size_t size = (size_t)snprintf(key, sizeof key, "%zu", (size_t)i);
        CHECK(stream_index_find(index, key, size, numbers, 4, &count, &error), "%s", error.message);
        CHECK(i < MANY ? count == 1 && numbers[0] == i + 1 : count == 0, "key %s", key);
    }
    CHECK(stream_index_find(index, "x", 1, numbers, 4, &count, &error) && count == 0);
    stream_reader_close(reader);
}

static int compare_keys(const void *one, const void *two) {
    return stored_key_compare(one, two);
}

/* Keys of which `bits` alone differ, so that many have the same hash; each with a number of its own. */
static void check_sorted(size_t count, uint64_t bits, uint32_t first) {
    StoredKey *keys = memory_need(count + 1, sizeof *keys), *want = memory_need(count + 1, sizeof *want);
    Random random;
    random_seed(&random, bits, count);
    for (size_t i = 0; i <= count; i++) /* the last is none of them */
        keys[i] = want[i] = (StoredKey){random_next(&random) & bits, first + (uint32_t)(i * 7919 % count)};
    key_sort(keys, count);
    qsort(want, count, sizeof *want, compare_keys);
    CHECK(!memcmp(keys, want, (count + 1) * sizeof *keys), "%zu keys, %zx", count, (size_t)bits);
    free(keys);
    free(want);
}

static void keys_are_sorted_where_they_lie(void) {
    const uint64_t bits[] = {UINT64_MAX, UINT64_C(0xff000000000000ff), UINT64_C(0x0100), 0};
    const size_t counts[] = {1, 2, 32, 33, 1000, 70001};
    for (size_t i = 0; i < sizeof bits / sizeof *bits; i++)
        for (size_t j = 0; j < sizeof counts / sizeof *counts; j++) {
            check_sorted(counts[j], bits[i], 0);
            check_sorted(counts[j], bits[i], UINT32_MAX - 70001);
        }
    key_sort(NULL, 0);
}

static void threads_change_no_byte(void) {
    const char *one = stream_path("one.pmt"), *other = stream_path("other.pmt");
    const int before = parallel_threads();
    parallel_set_threads(1);
    write_numbers(one, RECORDS);
    const Bytes want = bytes_of(one);
    for (int threads = 2; threads < 6; threads++) {
        Error error;
        parallel_set_threads(threads);
        write_numbers(other, RECORDS);
        const Bytes got = bytes_of(other);
        CHECK(got.size == want.size && !memcmp(got.at, want.at, want.size), "%d threads", threads);
        CHECK(read_all(one, &error) == RECORDS, "%s", error.message);
        free(got.at);
    }
    parallel_set_threads(before);
    free(want.at);
}

/* Shares by an index are ranges; without one (standard input is no file that can be sought) every N-th. */
static void shares_are_everything_once(void) {
    Error error;
    Record record;
    const char *path = stream_path("a.pmt");
    write_numbers(path, RECORDS);
    for (uint64_t shards = 1; shards <= RECORDS + 2; shards += 37) {
        uint64_t next = 0;
        for (uint64_t i = 1; i <= shards; i++) {
            StreamReader *reader = open_path(path);
            CHECK(stream_reader_take_shard(reader, &(Shard){i, shards}, &error), "%s", error.message);
            StreamStatus status;
            while ((status = stream_reader_next(reader, &record, &error)) == STREAM_RECORD)
                CHECK(is_number(&record, next++));
            CHECK(status == STREAM_END, "%s", error.message);
            stream_reader_close(reader);
        }
        CHECK(next == RECORDS, "%zu", (size_t)next);
    }
    Shard shard;
    CHECK(shard_parse(&shard, "3/8", &error) && shard.number == 3 && shard.count == 8);
    CHECK(shard_takes(&shard, 3) && shard_takes(&shard, 11) && !shard_takes(&shard, 8));
    static const char *const wrong[] = {
        "", "3", "0/8", "9/8", "3/", "3/8x", "/8", "-1/8", "3/99999999999999999999"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        CHECK(!shard_parse(&shard, wrong[i], &error), "%s", wrong[i]);
}

static void segments_have_an_index_each(void) {
    Error error;
    Record record;
    const char *path = stream_path("a.pmt"), *both = stream_path("both.pmt");
    write_numbers(path, RECORDS);
    Bytes bytes = bytes_of(path);
    bytes.at = memory_resize(bytes.at, 2 * bytes.size, 1);
    memcpy(bytes.at + bytes.size, bytes.at, bytes.size);
    bytes.size *= 2;
    write_bytes_to(both, bytes);
    CHECK(read_all(both, &error) == 2 * RECORDS, "%s", error.message);
    StreamReader *reader = open_path(both);
    const StreamIndex *index = stream_reader_index(reader);
    CHECK(index && index->segment_count == 2 && index->records == 2 * RECORDS);
    static const uint64_t wanted[] = {599, 3, 300, 301, 302, 1, 600};
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
        CHECK(stream_reader_seek(reader, wanted[i], 1, &error), "%s", error.message);
        CHECK(stream_reader_next(reader, &record, &error) == STREAM_RECORD, "%s", error.message);
        CHECK(record.number == wanted[i] && is_number(&record, (wanted[i] - 1) % RECORDS));
    }
    uint64_t numbers[4];
    size_t count;
    CHECK(stream_index_find(index, "17", 2, numbers, 4, &count, &error) && count == 2);
    CHECK(numbers[0] == 18 && numbers[1] == 318);
    stream_reader_close(reader);
    free(bytes.at);
}

/* What every frame holds is named when it is damaged, whichever way it is read. */
static void damage_is_located(void) {
    Error error;
    const char *path = stream_path("a.pmt"), *broken = stream_path("broken.pmt");
    write_numbers(path, RECORDS);
    const Bytes bytes = bytes_of(path);
    StreamReader *reader = open_path(path);
    const StreamIndex *index = stream_reader_index(reader);
    for (size_t i = 0; i < index->frame_count; i++) {
        const IndexFrame *frame = &index->frames[i];
        char want[160];
        snprintf(want, sizeof want, "damaged in frame %zu (bytes %zu to %zu, records %zu to %zu)", i + 1,
                 (size_t)frame->at, (size_t)(frame->at + frame->size), (size_t)frame->first + 1,
                 (size_t)(frame->first + frame->records));
        if (!frame->records) continue;
        bytes.at[frame->at + frame->size - 2] ^= 4;
        write_bytes_to(broken, bytes);
        bytes.at[frame->at + frame->size - 2] ^= 4;
        CHECK(read_all(broken, &error) == -1 && strstr(error.message, want), "%s instead of %s",
              error.message, want);
    }
    stream_reader_close(reader);
    free(bytes.at);
}

/* Whatever an index claims, with a hash that fits: a lie is noticed by who reads the stream. */
static void lies_are_noticed(void) {
    Error error;
    const char *path = stream_path("a.pmt"), *broken = stream_path("broken.pmt");
    write_numbers(path, 60);
    const Bytes bytes = bytes_of(path);
    StoredTail tail;
    memcpy(&tail, bytes.at + bytes.size - sizeof tail, sizeof tail);
    unsigned char *start = bytes.at + bytes.size - tail.size;
    StoredHead head;
    memcpy(&head, start, sizeof head);
    const size_t checked = sizeof head + head.frames * sizeof(StoredFrame) + head.end_size;
    for (size_t i = 0; i < tail.size - sizeof tail.word; i++) {
        const unsigned char before = start[i];
        start[i] ^= (unsigned char)(1 << i % 8);
        StoredTail altered;
        memcpy(&altered, bytes.at + bytes.size - sizeof tail, sizeof tail);
        if (i < tail.size - sizeof tail) altered.check = index_hash(start, checked);
        memcpy(bytes.at + bytes.size - sizeof tail, &altered, sizeof tail);
        write_bytes_to(broken, bytes);
        CHECK(read_all(broken, &error) == -1, "byte %zu of the index (%zu checked)", i, checked);
        start[i] = before;
        memcpy(bytes.at + bytes.size - sizeof tail, &tail, sizeof tail);
    }
    free(bytes.at);
}

static void an_index_can_be_added(void) {
    Error error;
    const char *path = stream_path("a.pmt"), *bare = stream_path("bare.pmt"),
               *again = stream_path("again.pmt");
    write_numbers(path, RECORDS);
    Bytes bytes = bytes_of(path);
    StoredTail tail;
    memcpy(&tail, bytes.at + bytes.size - sizeof tail, sizeof tail);
    write_bytes_to(bare, (Bytes){bytes.at, bytes.size - tail.size});
    StreamReader *reader = open_path(bare);
    CHECK(!stream_reader_index(reader));
    stream_reader_close(reader);
    CHECK(read_all(bare, &error) == RECORDS, "%s", error.message);
    CHECK(stream_reindex(bare, again, FRAME_DEFAULT_LEVEL, &error), "%s", error.message);
    const Bytes got = bytes_of(again);
    CHECK(got.size == bytes.size && !memcmp(got.at, bytes.at, got.size));
    free(got.at);
    free(bytes.at);
}

/* More than the decoder's threads take at once. */
static void a_large_frame_is_read_in_pieces(void) {
    enum { COUNT = 6 << 20 };
    Error error;
    Record record;
    const char *path = stream_path("large.pmt");
    float *numbers = memory_need(COUNT, sizeof *numbers);
    for (size_t i = 0; i < COUNT; i++)
        numbers[i] = (float)(i % 1000);
    StreamWriter *writer = stream_start(path, header_create("items"));
    for (int i = 0; i < 3; i++)
        stream_put(writer, "k", record_tensor("x", DTYPE_F32, numbers, 1, (uint64_t)(i == 1 ? COUNT : 5)));
    stream_finish(writer);
    StreamReader *reader = open_path(path);
    CHECK(stream_reader_index(reader)->frames[0].plain > 20 << 20);
    for (int i = 0; i < 3; i++) {
        CHECK(stream_reader_next(reader, &record, &error) == STREAM_RECORD, "%s", error.message);
        CHECK(!memcmp(record.tensors[0].data, numbers, record_tensor_bytes(&record.tensors[0])));
    }
    CHECK(stream_reader_next(reader, &record, &error) == STREAM_END, "%s", error.message);
    stream_reader_close(reader);
    Bytes bytes = bytes_of(path);
    bytes.at[bytes.size / 2] ^= 1;
    write_bytes_to(path, bytes);
    CHECK(read_all(path, &error) == -1 && strstr(error.message, "damaged in frame 1 (bytes 0 to "), "%s",
          error.message);
    free(bytes.at);
    free(numbers);
}

static void a_record_above_the_limit_is_refused(void) {
    Error error;
    const char *path = stream_path("a.pmt");
    write_numbers(path, RECORDS);
    memory_set_record_limit(5000);
    CHECK(read_all(path, &error) == -1 && strstr(error.message, "record 50: it has more than 5000 bytes"),
          "%s", error.message);
    memory_set_record_limit(0);
    CHECK(read_all(path, &error) == RECORDS, "%s", error.message);
}

RUN_TESTS(TEST(every_record_can_be_sought), TEST(keys_are_found_by_their_hash),
          TEST(keys_are_sorted_where_they_lie), TEST(threads_change_no_byte),
          TEST(shares_are_everything_once), TEST(segments_have_an_index_each), TEST(damage_is_located),
          TEST(lies_are_noticed), TEST(an_index_can_be_added), TEST(a_large_frame_is_read_in_pieces),
          TEST(a_record_above_the_limit_is_refused))

#include "data/feature_cache_layout.h"
#include "stream_files.h"

#include "core/log.h"
#include "core/memory.h"
#include "core/parallel.h"
#include "core/random.h"
#include "data/feature_store.h"

#include <sys/stat.h>
#include <sys/wait.h>

enum { ITEMS = 40, WIDTH = 8, MOST_ROWS = 7 };

static char folder[128]; /* of the caches */

static uint64_t rows_of(size_t item) {
    return item * 5 % MOST_ROWS; /* item 0 has none */
}

/* Hidden states of `scale` times as many rows as rows_of says. */
static void write_stream(const char *path, uint64_t seed, uint64_t scale) {
    json_t *header = header_create("hidden");
    json_object_set_new(header, "modality", json_string("text"));
    json_object_set_new(header, "blocks", json_integer(1));
    json_object_set_new(header, "width", json_integer(WIDTH));
    StreamWriter *writer = stream_start(path, header);
    float *values = memory_need(MOST_ROWS * scale * WIDTH, sizeof *values);
    for (size_t item = 0; item < ITEMS; item++) {
        char key[16];
        snprintf(key, sizeof key, "v%zu", item);
        for (size_t i = 0; i < rows_of(item) * scale * WIDTH; i++)
            values[i] = (float)(random_hash(seed + item, i) >> 40);
        stream_put(writer, key,
                   record_tensor("hidden", DTYPE_F32, values, 2, rows_of(item) * scale, (uint64_t)WIDTH));
    }
    free(values);
    stream_finish(writer);
}

/* Every item's name, and no other, is that of the stream's item. */
static void check_names(const FeatureStore *store) {
    const size_t names = name_table_count(store->items.names);
    size_t found = 0;
    for (size_t i = 0; i < names; i++) {
        char want[32];
        const size_t item = item_numbers_find(&store->items, i);
        snprintf(want, sizeof want, item == SIZE_MAX ? "other" : "v%zu", item);
        CHECK(!strcmp(name_table_name(store->items.names, i, NULL), want), "%s", want);
        found += item != SIZE_MAX;
    }
    CHECK(found == ITEMS && names == ITEMS + store->items.before - (store->items.before > 0));
}

/* Reads the stream by its cache, its names into `names` (or NULL); the store is `seed`'s, to the last bit. */
static void check_store_among(NameTable *names, const char *path, uint64_t seed, uint64_t scale) {
    FeatureStore store;
    Error error = {""};
    const bool fine = feature_store_read_shared(&store, path, 1 << 30, names, folder, &error);
    CHECK(fine, "%s", error.message);
    if (!fine) return;
    CHECK(store.kind == FEATURE_HIDDEN && store.dtype == DTYPE_F32 && store.width == WIDTH);
    CHECK(store.cache && store.rows.in_file && feature_store_items(&store) == ITEMS);
    check_names(&store);
    CHECK(json_is_string(json_object_get(store.content, "hash")));
    float *values = memory_need(MOST_ROWS * scale * WIDTH, sizeof *values);
    size_t wrong = 0;
    for (uint32_t item = 0; item < ITEMS; item++) {
        feature_store_want(&store, item);
        feature_store_gather_rows(&store, &item, 1, values);
        CHECK(feature_store_rows(&store, item) == rows_of(item) * scale);
        for (size_t i = 0; i < rows_of(item) * scale * WIDTH; i++)
            wrong += values[i] != (float)(random_hash(seed + item, i) >> 40);
    }
    CHECK(!wrong, "%zu values differ", wrong);
    free(values);
    feature_store_free(&store);
}

static void check_store(const char *path, uint64_t seed, uint64_t scale) {
    check_store_among(NULL, path, seed, scale);
}

/* Beside a store that has an item of the stream's and one of its own. */
static void check_second_store(const char *path, uint64_t seed, uint64_t scale) {
    NameTable *names = name_table_create();
    name_table_add(names, "v5", 2, NULL);
    name_table_add(names, "other", 5, NULL);
    check_store_among(names, path, seed, scale);
    name_table_destroy(names);
}

/* A new folder without a cache; the stream's path in it. */
static const char *start(void) {
    const char *path = stream_path("hidden.pmt");
    log_open("test", LOG_QUIET);
    parallel_set_threads(1); /* more would not outlive a fork */
    stream_folder_files(true);
    snprintf(folder, sizeof folder, "%s", stream_folder);
    return path;
}

/* The only cache in the folder. */
static const char *cache_path(void) {
    static char path[400];
    int caches = 0;
    DIR *list = opendir(folder);
    for (struct dirent *entry; list && (entry = readdir(list));) {
        if (!strstr(entry->d_name, ".cache")) continue;
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        caches++;
    }
    if (list) closedir(list);
    CHECK(caches == 1, "%d caches", caches);
    return path;
}

static ino_t inode_of(const char *path) {
    struct stat status = {0};
    CHECK(!stat(path, &status), "%s", path);
    return status.st_ino;
}

/* Reads or writes bytes of a file. */
static void read_at(const char *path, size_t at, void *bytes, size_t size) {
    FILE *file = fopen(path, "rb");
    CHECK(file && !fseek(file, (long)at, SEEK_SET) && fread(bytes, 1, size, file) == size && !fclose(file));
}

static void write_at(const char *path, size_t at, const void *bytes, size_t size) {
    FILE *file = fopen(path, "r+b");
    CHECK(file && !fseek(file, (long)at, SEEK_SET) && fwrite(bytes, 1, size, file) == size && !fclose(file));
}

static void flip(const char *path, size_t at) {
    unsigned char byte;
    read_at(path, at, &byte, 1);
    byte ^= 0x10;
    write_at(path, at, &byte, 1);
}

static void a_second_reading_takes_the_cache_alone(void) {
    enum { SCALE = 6000 }; /* 23 MB: several frames */
    const char *path = start();
    FeatureStore store;
    Error error = {""};
    write_stream(path, 1, SCALE);
    check_store(path, 1, SCALE);
    const ino_t made = inode_of(cache_path());
    struct stat status;
    stat(path, &status);
    flip(path, (size_t)status.st_size * 2 / 3);
    CHECK(!feature_store_read(&store, path, 1 << 30, &error) && strstr(error.message, "damaged in frame"),
          "%s", error.message);
    check_store(path, 1, SCALE);
    check_second_store(path, 1, SCALE);
    CHECK(inode_of(cache_path()) == made, "it is the same file");
}

static void another_content_makes_it_again(void) {
    const char *path = start();
    write_stream(path, 1, 1);
    check_store(path, 1, 1);
    write_stream(path, 2, 1);
    check_store(path, 2, 1);
    write_stream(path, 3, 2);
    check_store(path, 3, 2);
    CHECK(stream_folder_files(false) == 2, "the stream and one cache");
}

static void one_that_is_cut_is_made_again(void) {
    const char *path = start();
    struct stat status;
    write_stream(path, 1, 1);
    check_store(path, 1, 1);
    stat(cache_path(), &status);
    const off_t sizes[] = {
        0, 7, sizeof(CacheHead) - 1, CACHE_ROWS_AT, CACHE_ROWS_AT + 99, status.st_size - 1};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        CHECK(!truncate(cache_path(), sizes[i]));
        check_store(path, 1, 1);
    }
    CHECK(!truncate(cache_path(), status.st_size + 1), "longer, too");
    check_store(path, 1, 1);
}

/* A cache that is made again has the bytes of the first. */
static void flip_is_mended(const char *path, size_t at) {
    unsigned char before, after;
    read_at(cache_path(), at, &before, 1);
    flip(cache_path(), at);
    check_store(path, 1, 1);
    read_at(cache_path(), at, &after, 1);
    CHECK(after == before, "byte %zu", at);
}

static void any_byte_of_head_and_tables_counts(void) {
    const char *path = start();
    CacheHead head;
    write_stream(path, 1, 1);
    check_store(path, 1, 1);
    read_at(cache_path(), 0, &head, sizeof head);
    for (size_t i = 0; i < sizeof head; i += 3) /* each field */
        flip_is_mended(path, i);
    for (size_t i = 0; i < head.tables_size; i += 37)
        flip_is_mended(path, head.tables_at + i);
}

/* Changes a number of the tables, and makes all hashes right. */
static void lie(const char *path, size_t at, const void *bytes, size_t size) {
    CacheHead head;
    read_at(path, 0, &head, sizeof head);
    unsigned char *tables = memory_need(head.tables_size, 1);
    write_at(path, head.tables_at + at, bytes, size);
    read_at(path, head.tables_at, tables, head.tables_size);
    head.tables_check = index_hash(tables, head.tables_size);
    head.check = cache_head_check(&head);
    write_at(path, 0, &head, sizeof head);
    free(tables);
}

static void lies_are_noticed(void (*check)(const char *path, uint64_t seed, uint64_t scale)) {
    const char *path = start();
    const uint64_t first_rows[] = {1, 1000000, UINT64_MAX, UINT64_MAX / 32 + 1};
    const uint32_t sizes[] = {0, 4, 1000, UINT32_MAX};
    write_stream(path, 1, 1);
    check(path, 1, 1);
    for (size_t i = 0; i < sizeof first_rows / sizeof *first_rows; i++)
        for (size_t item = 0; item <= ITEMS; item += ITEMS / 2) {
            lie(cache_path(), item * sizeof *first_rows, &first_rows[i], sizeof *first_rows);
            check(path, 1, 1);
        }
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        lie(cache_path(), (2 * ITEMS + 1) * sizeof(uint64_t), &sizes[i], sizeof *sizes);
        check(path, 1, 1);
    }
    lie(cache_path(), (2 * ITEMS + 1) * sizeof(uint64_t) + sizeof *sizes, "v1", 2); /* twice, then */
    check(path, 1, 1);
}

static void tables_that_lie_are_noticed(void) {
    lies_are_noticed(check_store);
    lies_are_noticed(check_second_store);
}

/* Gathers all items in a process of its own, whose exit status this is. */
static int gather_apart(const char *path) {
    fflush(stdout);
    const pid_t child = fork();
    if (!child) {
        if (!freopen("/dev/null", "w", stderr)) _exit(2);
        check_store(path, 1, 1);
        _exit(0);
    }
    int status;
    waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void rows_that_were_altered_end_the_program(void) {
    const char *path = start();
    CacheHead head;
    write_stream(path, 1, 1);
    check_store(path, 1, 1);
    CHECK(gather_apart(path) == 0);
    read_at(cache_path(), 0, &head, sizeof head);
    for (size_t at = 0; at < head.rows_size; at += head.rows_size / 3) {
        flip(cache_path(), CACHE_ROWS_AT + at);
        CHECK(gather_apart(path) == 1);
        CHECK(stream_folder_files(false) == 1, "it is removed");
        check_store(path, 1, 1);
    }
}

static void without_an_index_or_a_folder_there_is_none(void) {
    const char *path = start();
    FeatureStore store;
    Error error = {""};
    struct stat status;
    uint64_t index_size;
    write_stream(path, 1, 1);
    snprintf(folder, sizeof folder, "/dev/null/nowhere");
    CHECK(feature_store_read_shared(&store, path, 1 << 30, NULL, folder, &error), "%s", error.message);
    CHECK(!store.cache && !store.rows.in_file && feature_store_items(&store) == ITEMS);
    feature_store_free(&store);
    start();
    write_stream(path, 1, 1);
    stat(path, &status);
    read_at(path, (size_t)status.st_size - 16, &index_size, sizeof index_size);
    CHECK(!truncate(path, status.st_size - (off_t)index_size));
    CHECK(feature_store_read_shared(&store, path, 1 << 30, NULL, folder, &error), "%s", error.message);
    CHECK(!store.cache && feature_store_items(&store) == ITEMS);
    feature_store_free(&store);
    CHECK(stream_folder_files(false) == 1);
}

RUN_TESTS(TEST(a_second_reading_takes_the_cache_alone), TEST(another_content_makes_it_again),
          TEST(one_that_is_cut_is_made_again), TEST(any_byte_of_head_and_tables_counts),
          TEST(tables_that_lie_are_noticed), TEST(rows_that_were_altered_end_the_program),
          TEST(without_an_index_or_a_folder_there_is_none))

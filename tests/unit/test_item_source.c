#include "behaviours_from.h"
#include "stream_files.h"

#include "core/log.h"
#include "train/item_source.h"

enum { MEMORY_LIMIT = 1 << 24 };

/* Item vectors, two an item: the number in its name and the record. */
static const char *write_items(const char *file, const char *const names[], size_t count) {
    const char *path = stream_path(file);
    json_t *header = header_create("items");
    json_object_set_new(header, "dim", json_integer(2));
    StreamWriter *writer = stream_start(path, header);
    for (size_t i = 0; i < count; i++) {
        const float values[] = {(float)atoi(names[i] + 1), (float)i};
        stream_put(writer, names[i], record_tensor("vector", DTYPE_F32, values, 1, (uint64_t)2));
    }
    stream_finish(writer);
    return path;
}

/* The first has no v9, the second no v1 and no v4, and another order. */
static const char *const first_names[] = {"v0", "v1", "v2", "v3", "v4", "v5", "v6"};
static const char *const second_names[] = {"v6", "v9", "v3", "v5", "v0", "v2"};
enum { FIRST = 7, SECOND = 6, NAMES = 8, LEFT = 5 };

typedef struct Pair {
    FeatureStore first, second;
    NameTable *names;
    ItemSource source;
} Pair;

static void read_store(FeatureStore *store, const char *path, NameTable *names, const char *cache) {
    Error error = {""};
    CHECK(feature_store_read_shared(store, path, MEMORY_LIMIT, names, cache, &error), "%s", error.message);
}

static bool join(Pair *pair, Error *error) {
    FeatureStore *const stores[SOURCES] = {[SOURCE_TEXT] = &pair->first, [SOURCE_VECTORS] = &pair->second};
    return item_source_create(&pair->source, stores, pair->names, error);
}

static void read_pair(Pair *pair, const char *first, const char *second, const char *cache) {
    log_open("test", LOG_QUIET);
    *pair = (Pair){.names = name_table_create()};
    read_store(&pair->first, first, pair->names, cache);
    read_store(&pair->second, second, pair->names, cache);
}

static void free_pair(Pair *pair) {
    item_source_free(&pair->source);
    feature_store_free(&pair->first);
    feature_store_free(&pair->second);
    name_table_destroy(pair->names);
}

/* The vector of an item is that of its name. */
static void check_item(const FeatureStore *store, uint32_t item, const char *name) {
    float vector[2];
    feature_store_gather_rows(store, &item, 1, vector);
    CHECK(vector[0] == (float)atoi(name + 1) && vector[1] == (float)item, "%s is item %u: %g, %g", name, item,
          (double)vector[0], (double)vector[1]);
}

static void check_pair(Pair *pair) {
    Error error = {""};
    CHECK(pair->first.items.names == pair->names && pair->second.items.names == pair->names);
    CHECK(name_table_count(pair->names) == NAMES, "%zu names", name_table_count(pair->names));
    CHECK(feature_store_items(&pair->first) == FIRST && feature_store_items(&pair->second) == SECOND);
    for (size_t i = 0; i < FIRST; i++)
        CHECK(!strcmp(item_numbers_name(&pair->first.items, i), first_names[i]), "%s", first_names[i]);
    for (size_t i = 0; i < SECOND; i++)
        CHECK(!strcmp(item_numbers_name(&pair->second.items, i), second_names[i]), "%s", second_names[i]);
    CHECK(join(pair, &error), "%s", error.message);
    CHECK(pair->source.dropped == FIRST + SECOND - 2 * LEFT, "%zu are left out", pair->source.dropped);
}

/* Kept items first and in the order of the first stream, whatever that of the second. */
static void check_numbers(Pair *pair) {
    static const char *const order[] = {"v0", "v3", "v6", "v2", "v5"}; /* v2 and v5: no user has them */
    Behaviours behaviours;
    Error error = {""};
    const char *users = "a\tv6 v0 v3\nb\tv3 v1 v0 v4 v9 v6\n";
    const BehavioursOptions options = {
        .min_seq_len = 3, .max_seq_len = 9, .unknown = UNKNOWN_ITEMS_DROP, .left_out = pair->source.left_out};
    CHECK(behaviours_from_bytes(&behaviours, users, strlen(users), pair->names, options, &error), "%s",
          error.message);
    CHECK(behaviours.item_count == 3 && behaviours.known_count == LEFT);
    CHECK(behaviours.counts.interactions_unknown == 3 && !behaviours.options.left_out);
    item_source_number(&pair->source, &behaviours);
    for (uint32_t i = 1; i <= LEFT; i++) {
        CHECK(!strcmp(name_table_name(pair->names, behaviours.item_rows[i], NULL), order[i - 1]), "%s",
              order[i - 1]);
        check_item(&pair->first, pair->source.by_item[SOURCE_TEXT][i], order[i - 1]);
        check_item(&pair->second, pair->source.by_item[SOURCE_VECTORS][i], order[i - 1]);
    }
    behaviours_free(&behaviours);
}

static void check_refusal(const Pair *pair) {
    Behaviours behaviours;
    Error error = {""};
    const char *users = "a\tv6 v0 v1\n";
    const BehavioursOptions options = {.min_seq_len = 3, .max_seq_len = 9, .left_out = pair->source.left_out};
    CHECK(!behaviours_from_bytes(&behaviours, users, strlen(users), pair->names, options, &error));
    CHECK(strstr(error.message, "item \"v1\" is none of the 5 known items"), "%s", error.message);
}

static void stores_share_the_names_and_are_joined_by_them(void) {
    Pair pair;
    const char *first = write_items("first.pmt", first_names, FIRST),
               *second = write_items("second.pmt", second_names, SECOND);
    read_pair(&pair, first, second, NULL);
    check_pair(&pair);
    check_numbers(&pair);
    check_refusal(&pair);
    free_pair(&pair);
}

static void from_caches_and_pipes_they_are_the_same(void) {
    const char *first = write_items("first.pmt", first_names, FIRST),
               *second = write_items("second.pmt", second_names, SECOND);
    for (int round = 0; round < 2; round++) { /* made, and then mapped */
        Pair pair;
        read_pair(&pair, first, second, stream_folder);
        CHECK(pair.first.cache && pair.second.cache);
        check_pair(&pair);
        check_numbers(&pair);
        free_pair(&pair);
    }
    Pair pair;
    char command[160], pipe[32];
    snprintf(command, sizeof command, "cat %s", second);
    FILE *input = popen(command, "r");
    CHECK(input);
    snprintf(pipe, sizeof pipe, "/dev/fd/%d", fileno(input));
    read_pair(&pair, first, pipe, NULL);
    CHECK(pclose(input) == 0);
    check_pair(&pair);
    check_numbers(&pair);
    free_pair(&pair);
}

/* A name of the second that the first has, and one that it lacks. */
static void an_item_that_comes_twice_is_refused_by_its_record(void) {
    static const char *const twice[][4] = {{"v6", "v9", "v6", "v2"}, {"v6", "v9", "v1", "v9"}};
    static const char *const messages[] = {
        "record 3 ('v6'): record 1 is the same item; an item may come once",
        "record 4 ('v9'): record 2 is the same item; an item may come once"};
    const char *first = write_items("first.pmt", first_names, FIRST);
    for (size_t i = 0; i < 2; i++) {
        Pair pair = {.names = name_table_create()};
        Error error = {""};
        read_store(&pair.first, first, pair.names, NULL);
        const char *second = write_items("second.pmt", twice[i], 4);
        CHECK(!feature_store_read_shared(&pair.second, second, MEMORY_LIMIT, pair.names, NULL, &error));
        CHECK(strstr(error.message, messages[i]), "%s", error.message);
        free_pair(&pair);
    }
}

static void stores_without_a_common_item_are_refused(void) {
    static const char *const others[] = {"v7", "v8"};
    Pair pair;
    Error error = {""};
    read_pair(&pair, write_items("first.pmt", first_names, FIRST), write_items("second.pmt", others, 2),
              NULL);
    CHECK(!join(&pair, &error) && strstr(error.message, "first.pmt and ") &&
              strstr(error.message, "second.pmt have no item in common"),
          "%s", error.message);
    free_pair(&pair);
}

/* Where all stores have all items nothing is kept of what is left out; alone, not even numbers. */
static void one_that_is_complete_keeps_nothing_more(void) {
    Pair pair;
    Error error = {""};
    const char *first = write_items("first.pmt", first_names, FIRST);
    read_pair(&pair, first, first, NULL);
    CHECK(join(&pair, &error), "%s", error.message);
    CHECK(!pair.source.left_out && !pair.source.dropped && !pair.first.items.items);
    CHECK(name_table_count(pair.names) == FIRST);
    free_pair(&pair);
}

RUN_TESTS(TEST(stores_share_the_names_and_are_joined_by_them), TEST(from_caches_and_pipes_they_are_the_same),
          TEST(an_item_that_comes_twice_is_refused_by_its_record),
          TEST(stores_without_a_common_item_are_refused), TEST(one_that_is_complete_keeps_nothing_more))

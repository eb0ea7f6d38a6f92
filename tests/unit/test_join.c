#include "stream_files.h"

#include "core/memory.h"
#include "core/random.h"
#include "stream/join.h"
#include "stream/record_spill.h"

#include <sys/stat.h>

/* Then nothing tells beforehand which records are alone, as on a pipe. */
static bool without_index;

static void strip_index(const char *path) {
    uint64_t size;
    FILE *file = fopen(path, "rb");
    CHECK(!fseek(file, -16, SEEK_END) && fread(&size, sizeof size, 1, file) == 1);
    const long end = ftell(file) + 8;
    fclose(file);
    CHECK(!truncate(path, end - (long)size));
}

/* Streams of single letters; the value of letter c is its code, and on side B ten times that. */
static const char *write_letters(JoinSide side, const char *letters) {
    const char *path = stream_path(side == JOIN_A ? "a.pmt" : "b.pmt");
    StreamWriter *writer = stream_start(path, header_create("items"));
    for (; *letters; letters++) {
        const char key[] = {*letters, 0};
        const float value = (float)(side == JOIN_A ? *letters : 10 * *letters);
        stream_put(writer, key, record_tensor(side == JOIN_A ? "x" : "y", DTYPE_F32, &value, 1, UINT64_C(1)));
    }
    stream_finish(writer);
    if (without_index) strip_index(path);
    return path;
}

static bool holds(const Record *record, const char *name, float value) {
    float got;
    const RecordTensor *tensor = record_find(record, name);
    if (record->count != 1 || !tensor || record_tensor_bytes(tensor) != sizeof got) return false;
    memcpy(&got, tensor->data, sizeof got);
    return got == value;
}

typedef struct Joined {
    char letters[128]; /* in the order of the pairs */
    size_t kept;       /* records that were given after later ones of their stream had been read */
    uint64_t unmatched[JOIN_SIDES];
    char first[JOIN_SIDES]; /* 0: none */
    bool fine;
    Error error;
} Joined;

static Joined join_paths(const char *a, const char *b) {
    enum { FEW = 64 };
    static int round; /* every other join has to use the scratch file */
    const size_t limit = round++ % 2 ? FEW : SIZE_MAX;
    Joined joined = {.fine = false};
    StreamReader *readers[] = {stream_reader_open(a, &joined.error), stream_reader_open(b, &joined.error)};
    CHECK(readers[0] && readers[1], "%s", joined.error.message);
    if (!readers[0] || !readers[1]) exit(1);
    StreamJoin *join = stream_join_create(readers[0], readers[1], limit);
    Record one, two;
    StreamStatus status;
    for (size_t n = 0; (status = stream_join_next(join, &one, &two, &joined.error)) == STREAM_RECORD; n++) {
        CHECK(one.key_size == 1 && two.key_size == 1 && !strcmp(one.key, two.key), "%s, %s", one.key,
              two.key);
        CHECK(holds(&one, "x", (float)*one.key), "x of %s", one.key);
        CHECK(holds(&two, "y", (float)(10 * *one.key)), "y of %s", one.key);
        joined.letters[n] = *one.key;
        if (one.number < stream_reader_count(readers[0])) joined.kept++;
        if (two.number < stream_reader_count(readers[1])) joined.kept++;
    }
    joined.fine = status == STREAM_END;
    for (int side = JOIN_A; side < JOIN_SIDES; side++) {
        const char *first = stream_join_first_unmatched(join, side);
        joined.unmatched[side] = stream_join_unmatched(join, side);
        joined.first[side] = first ? *first : 0;
    }
    stream_join_destroy(join);
    stream_reader_close(readers[0]);
    stream_reader_close(readers[1]);
    return joined;
}

static Joined join_letters(const char *a, const char *b) {
    return join_paths(write_letters(JOIN_A, a), write_letters(JOIN_B, b));
}

static void check_joined(const char *a, const char *b, const char *pairs, uint64_t only_a, uint64_t only_b,
                         size_t kept) {
    const Joined joined = join_letters(a, b);
    CHECK(joined.fine, "%s", joined.error.message);
    CHECK(!strcmp(joined.letters, pairs), "%s and %s: %s", a, b, joined.letters);
    CHECK(joined.unmatched[JOIN_A] == only_a && joined.unmatched[JOIN_B] == only_b, "%s and %s", a, b);
    CHECK(joined.kept == kept, "%s and %s: %zu kept", a, b, joined.kept);
}

static void the_same_order_keeps_nothing(void) {
    check_joined("abcdef", "abcdef", "abcdef", 0, 0, 0);
    check_joined("a", "a", "a", 0, 0, 0);
    check_joined("", "", "", 0, 0, 0);
}

static void gaps_fall_out_of_step_once(void) {
    without_index = true;
    check_joined("abcdefgh", "acdefgh", "acdefgh", 1, 0, 1);
    check_joined("acdefgh", "abcdefgh", "acdefgh", 0, 1, 1);
    check_joined("abcdef", "abcd", "abcd", 2, 0, 0);
    check_joined("abcd", "abcdef", "abcd", 0, 2, 0);
    check_joined("abcd", "", "", 4, 0, 0);
    check_joined("", "abcd", "", 0, 4, 0);
    check_joined("abc", "xyz", "", 3, 3, 0);
}

/* Those that are alone are passed over, and the others stay in step. */
static void an_index_tells_who_is_alone(void) {
    without_index = false;
    check_joined("abcdefgh", "acdefgh", "acdefgh", 1, 0, 0);
    check_joined("acdefgh", "abcdefgh", "acdefgh", 0, 1, 0);
    check_joined("xabyczd", "abvcdw", "abcd", 3, 2, 0);
    check_joined("abc", "xyz", "", 3, 3, 0);
    check_joined("abcd", "", "", 4, 0, 0);
}

static void other_orders_wait(void) {
    check_joined("abc", "cba", "bca", 0, 0, 2);
    check_joined("ab", "ba", "ba", 0, 0, 2);
    check_joined("abcd", "bcda", "bcda", 0, 0, 2);
}

static void unmatched_are_named(void) {
    const Joined joined = join_letters("axbyc", "zabc");
    CHECK(joined.fine && !strcmp(joined.letters, "abc"));
    CHECK(joined.first[JOIN_A] == 'x' && joined.first[JOIN_B] == 'z');
    const Joined all = join_letters("abc", "cab");
    CHECK(all.fine && !all.first[JOIN_A] && !all.first[JOIN_B]);
}

static void shuffle(Random *random, char *letters, size_t count) {
    for (size_t i = count; i > 1; i--) {
        const size_t j = (size_t)random_below(random, i);
        const char swapped = letters[i - 1];
        letters[i - 1] = letters[j];
        letters[j] = swapped;
    }
}

/* Subsets in random orders: every letter of both comes out once. */
static void any_order_and_subset(void) {
    Random random;
    random_seed(&random, 1, 0);
    for (int round = 0; round < 200; round++) {
        without_index = round % 4 == 0;
        char sides[JOIN_SIDES][64] = {"", ""}, common[64] = "", only[JOIN_SIDES] = {0, 0};
        size_t counts[JOIN_SIDES] = {0, 0}, both = 0;
        for (char letter = 'A'; letter <= 'Z'; letter++) {
            const uint64_t in = 1 + random_below(&random, 3);
            if (in & 1) sides[JOIN_A][counts[JOIN_A]++] = letter;
            if (in & 2) sides[JOIN_B][counts[JOIN_B]++] = letter;
            if (in == 3) common[both++] = letter;
            only[JOIN_A] = (char)(only[JOIN_A] + (in == 1));
            only[JOIN_B] = (char)(only[JOIN_B] + (in == 2));
        }
        if (round % 3) shuffle(&random, sides[JOIN_A], counts[JOIN_A]);
        if (round % 2) shuffle(&random, sides[JOIN_B], counts[JOIN_B]);
        const Joined joined = join_letters(sides[JOIN_A], sides[JOIN_B]);
        CHECK(joined.fine, "%s", joined.error.message);
        CHECK(strlen(joined.letters) == both, "%s and %s: %s", sides[0], sides[1], joined.letters);
        for (size_t i = 0; i < both; i++)
            CHECK(strchr(joined.letters, common[i]), "%c is not in %s", common[i], joined.letters);
        CHECK(joined.unmatched[JOIN_A] == (uint64_t)only[JOIN_A] &&
              joined.unmatched[JOIN_B] == (uint64_t)only[JOIN_B]);
    }
}

static void duplicates_are_refused(void) {
    static const struct {
        const char *a, *b, *parts[2];
    } cases[] = {
        {"aba", "abc", {"a.pmt: record 3 ('a')", "record 1 has the same key"}},
        {"abc", "abb", {"b.pmt: record 3 ('b')", "record 2 has the same key"}},
        {"abcc", "xyzw", {"a.pmt: record 4 ('c')", "record 3 has the same key"}}, /* waiting ones */
        {"a", "aa", {"b.pmt: record 2 ('a')", "record 1 has the same key"}},      /* when A has ended */
        {"aa", "", {"a.pmt: record 2 ('a')", "record 1 has the same key"}},
        {"xx", "yx", {"a.pmt: record 2 ('x')", "record 1 has the same key"}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const Joined joined = join_letters(cases[i].a, cases[i].b);
        CHECK(!joined.fine, "%s and %s", cases[i].a, cases[i].b);
        for (size_t j = 0; j < 2; j++)
            CHECK(strstr(joined.error.message, cases[i].parts[j]), "'%s' is not in: %s", cases[i].parts[j],
                  joined.error.message);
    }
}

/* Also when all pairs are there: what a cut stream has lost is not known. */
static void cut_streams_are_refused(void) {
    enum { NOISE = 1 << 20 }; /* more than is read with the header */
    uint8_t *noise = memory_need(NOISE, 1);
    for (size_t i = 0; i < NOISE; i++)
        noise[i] = (uint8_t)random_hash(2, i);
    const char *paths[] = {write_letters(JOIN_A, "a"), stream_path("b.pmt")};
    StreamWriter *writer = stream_start(paths[1], header_create("items"));
    const float value = 10 * 'a';
    stream_put(writer, "a", record_tensor("y", DTYPE_F32, &value, 1, UINT64_C(1)));
    stream_put(writer, "b", record_tensor("y", DTYPE_U8, noise, 1, (uint64_t)NOISE));
    stream_finish(writer);
    free(noise);
    struct stat status;
    CHECK(!stat(paths[1], &status) && !truncate(paths[1], status.st_size - 10));
    const Joined joined = join_paths(paths[0], paths[1]);
    CHECK(!strcmp(joined.letters, "a"));
    CHECK(!joined.fine && strstr(joined.error.message, "b.pmt: ") && strstr(joined.error.message, "cut off"),
          "%s", joined.error.message);
}

static void copies_share_nothing(void) {
    unsigned char data[] = {1, 2, 3, 4, 5, 6};
    char key[] = "k\0y", name[] = "first";
    Record record = {.key = key, .key_size = 3, .count = 3, .stream = "s.pmt", .number = 9};
    record.tensors[0] = record_tensor(name, DTYPE_U8, data, 2, UINT64_C(2), UINT64_C(3));
    record.tensors[1] = record_tensor("empty", DTYPE_F32, NULL, 1, UINT64_C(0));
    record.tensors[2] = record_tensor("scalar", DTYPE_U8, data + 5, 0);
    Error error = {""};
    for (size_t limit = 0; limit <= 1 << 20; limit += 1 << 20) {
        RecordSpill *spill = record_spill_create(limit);
        uint64_t places[2];
        Record copy;
        CHECK(record_spill_put(spill, &(Record){.key = "", .count = 0}, &places[0], &error));
        CHECK(record_spill_put(spill, &record, &places[1], &error), "%s", error.message);
        CHECK(record_spill_get(spill, places[0], &copy, &error) && copy.key_size == 0 && copy.count == 0);
        CHECK(record_spill_get(spill, places[1], &copy, &error), "%s", error.message);
        CHECK(copy.key != key && copy.key_size == 3 && !memcmp(copy.key, "k\0y", 4));
        CHECK(!strcmp(copy.stream, "s.pmt") && copy.number == 9 && copy.count == 3);
        const RecordTensor *first = record_find(&copy, "first"), *scalar = record_find(&copy, "scalar");
        CHECK(first && first->dimensions == 2 && first->shape[1] == 3 &&
              !memcmp(first->data, "\1\2\3\4\5\6", 6));
        CHECK(first && first->data != data && first->name != name);
        CHECK(record_find(&copy, "empty") && record_tensor_bytes(record_find(&copy, "empty")) == 0);
        CHECK(scalar && *(const unsigned char *)scalar->data == 6);
        record_spill_destroy(spill);
    }
}

RUN_TESTS(TEST(the_same_order_keeps_nothing), TEST(gaps_fall_out_of_step_once),
          TEST(an_index_tells_who_is_alone), TEST(other_orders_wait), TEST(unmatched_are_named),
          TEST(any_order_and_subset), TEST(duplicates_are_refused), TEST(cut_streams_are_refused),
          TEST(copies_share_nothing))

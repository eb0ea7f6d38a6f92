/* Behaviours, splits and batches. */
#include "behaviours_from.h"

#include "data/batch.h"
#include "data/split.h"

/* A sequence as letters: "abc". */
static const char *letters(const Behaviours *behaviours, Sequence sequence) {
    static char text[4][64];
    static int next;
    char *at = text[next = (next + 1) % 4];
    for (size_t i = 0; i < sequence.count && i < 63; i++)
        at[i] = (char)('a' + behaviours->item_rows[sequence.items[i]]);
    at[sequence.count < 63 ? sequence.count : 63] = 0;
    return at;
}

static Sequence whole(const Behaviours *behaviours, size_t user) {
    return (Sequence){behaviours->sequences + behaviours->offsets[user],
                      behaviours->offsets[user + 1] - behaviours->offsets[user]};
}

#define CHECK_TEXT(got, want) CHECK(!strcmp(got, want), "got \"%s\", not \"%s\"", got, want)

/* Numbering, training rows and popularity as the released code has them. */
static void golden_run(const struct GoldenRun *run) {
    NameTable *items;
    Behaviours behaviours = golden_behaviours(run, &items);
    CHECK(behaviours.user_count == run->users && behaviours.item_count == run->items);
    Error error;
    double *popularity = split_popularity(&behaviours, &error);
    CHECK(popularity[0] == 1);
    char *text = golden_run_file(run->name, "numbers.tsv"), *rest = text;
    uint32_t number = 0;
    for (char *line; (line = strsep(&rest, "\n")) && *line;) {
        const char *name = strsep(&line, "\t");
        CHECK(strtoul(strsep(&line, "\t"), NULL, 10) == ++number);
        CHECK_TEXT(name_table_name(items, behaviours.item_rows[number], NULL), name);
        CHECK(behaviours.item_numbers[behaviours.item_rows[number]] == number);
        CHECK(popularity[number] == strtod(line, NULL), "item %u: %.17g, not %s", number, popularity[number],
              line);
    }
    CHECK(number == run->items);
    free(text);
    rest = text = golden_run_file(run->name, "training.tsv");
    uint32_t user = 0;
    for (char *line; (line = strsep(&rest, "\n")) && *line; user++) {
        const Sequence row = split_row(&behaviours, SPLIT_TRAIN, user);
        size_t i = 0;
        for (char *item; (item = strsep(&line, " ")); i++)
            CHECK(i < row.count &&
                      !strcmp(name_table_name(items, behaviours.item_rows[row.items[i]], NULL), item),
                  "user %u, item %zu", user, i);
        CHECK(i == row.count);
    }
    CHECK(user == run->users);
    free(text);
    free(popularity);
    name_table_destroy(items);
    behaviours_free(&behaviours);
}

static void golden_runs_are_read_alike(void) {
    for (size_t i = 0; i < GOLDEN_RUN_COUNT; i++)
        golden_run(&GOLDEN_RUNS[i]);
}

static void short_users_and_old_interactions_are_dropped(void) {
    Behaviours b = behaviours_from_text("u1\tz y\nu2\tx b a c d e f g\nu3\t\nu4\tc c c\n", 3);
    CHECK(b.user_count == 2 && b.item_count == 6 && b.known_count == 26);
    CHECK_TEXT(letters(&b, whole(&b, 0)), "acdefg"); /* the last L + 3 */
    CHECK_TEXT(letters(&b, whole(&b, 1)), "ccc");
    size_t size;
    CHECK_TEXT(behaviours_user_name(&b, 0, &size), "u2");
    CHECK(size == 2);
    CHECK_TEXT(behaviours_user_name(&b, 1, NULL), "u4");
    /* b and x stand before the last L + 3, y and z in a dropped user: none is kept. */
    CHECK(b.item_numbers['b' - 'a'] == 7 && b.item_numbers['c' - 'a'] == 2 &&
          b.item_numbers['z' - 'a'] == 26);
    CHECK(b.item_rows[7] == 'b' - 'a');
    CHECK(b.counts.users_read == 4 && b.counts.users_short == 2);
    CHECK(b.counts.interactions_read == 13 && b.counts.interactions_short == 2 &&
          b.counts.interactions_old == 2 && b.counts.interactions_unknown == 0);
    char text[400];
    behaviours_describe(&b, text, sizeof text);
    CHECK(strstr(text,
                 ": kept 2 of 4 users (2 with fewer than 3 interactions), 9 of 13 interactions (2 of "
                 "dropped users, 2 older than what max-seq-len needs), 6 of 26 items"),
          "%s", text);
    memset(text, 'x', sizeof text);
    behaviours_describe(&b, text, 12);
    CHECK(strlen(text) == 11);
    behaviours_free(&b);
}

static void nothing_dropped_is_said_in_short(void) {
    Behaviours b = behaviours_from_text("u\ta b c", 9);
    char text[400];
    behaviours_describe(&b, text, sizeof text);
    CHECK(strstr(text, ": kept 1 of 1 users, 3 of 3 interactions, 3 of 26 items"), "%s", text);
    CHECK(b.content, "no content for provenance");
    behaviours_free(&b);
}

static void line_ends_do_not_matter(void) {
    static const char *const texts[] = {"u\ta b c\nv\tc a b\n", "u\ta b c\nv\tc a b",
                                        "u\ta b c\r\nv\tc a b\r\n", "\xef\xbb\xbfu\ta b c\nv\tc a b\n"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        Behaviours b = behaviours_from_text(texts[i], 5);
        CHECK(b.user_count == 2);
        CHECK_TEXT(behaviours_user_name(&b, 0, NULL), "u");
        CHECK_TEXT(letters(&b, whole(&b, 0)), "abc");
        CHECK_TEXT(letters(&b, whole(&b, 1)), "cab");
        behaviours_free(&b);
    }
}

static bool refused(const char *bytes, size_t size, uint32_t min, uint32_t max, Error *error) {
    NameTable *items = some_items(5);
    Behaviours b;
    const bool fine = behaviours_from_bytes(
        &b, bytes, size, items, (BehavioursOptions){.min_seq_len = min, .max_seq_len = max}, error);
    if (fine) behaviours_free(&b);
    name_table_destroy(items);
    return !fine;
}

static void malformed_files_are_refused(void) {
    static const struct {
        const char *text, *message;
    } cases[] = {
        {"", ": empty"},
        {"\n", ":1: an empty line"},
        {"u\ta b c\n\n", ":2: an empty line"},
        {"u\ta b c\n\nv\ta b c\n", ":2: an empty line"},
        {"u a b c\n", ":1: no TAB"},
        {"\ta b c\n", ":1: no user before the TAB"},
        {"u\ta b c\nv\ta  b c\n", ":2: an empty item name at byte 5"},
        {"u\t a b c\n", ":1: an empty item name at byte 3"},
        {"u\ta b c \n", ":1: an empty item name at byte 9"},
        {"u\t \n", ":1: an empty item name at byte 3"},
        {"u\ta b\tc\n", ":1: a second TAB at byte 6"},
        {"u\ta b\t\n", ":1: a second TAB at byte 6"},
        {"u\ta b c\nv\ta b x\n", ":2: item \"x\" is none of the 5 known items"},
        {"u\tx a b x c a b c a b\n", ":1: item \"x\" is none"}, /* the second is among the last L + 3 */
        {"u\ta b c\nv\ta b c\r\n", ":2: item \"c\\x0d\" is none"},
        {"u\ta b A\n", "item \"A\" is none"},
        {"u\ta b ab\n", "item \"ab\" is none"},
        {"u\ta b c\nv\ta b c\nu\tc b a\n", ":3: user \"u\" stands already in line 1"},
        {"u\ta\nv\ta b c\nu\tc b a\n", ":3: user \"u\" stands already in line 1"},
        {"u\ta b\nv\t\n", ": none of the 2 users has 3 interactions"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Error error = {""};
        CHECK(refused(cases[i].text, strlen(cases[i].text), 3, 4, &error), "case %zu", i);
        CHECK(strstr(error.message, cases[i].message), "case %zu: %s", i, error.message);
    }
}

/* Nothing depends on the items of users that are dropped, and of interactions that are too old. */
static void unknown_items_that_are_not_kept_do_no_harm(void) {
    static const char text[] = "u\tx a b c a b c a\nv\tx\n";
    NameTable *items = some_items(5);
    Behaviours b;
    Error error = {""};
    CHECK(behaviours_from_bytes(&b, text, sizeof text - 1, items,
                                (BehavioursOptions){.min_seq_len = 3, .max_seq_len = 4}, &error),
          "%s", error.message);
    CHECK(b.user_count == 1 && b.item_count == 3 && b.counts.users_short == 1 &&
          b.counts.interactions_old == 1);
    behaviours_free(&b);
    name_table_destroy(items);
}

static void impossible_requests_are_refused(void) {
    Error error = {""};
    CHECK(refused("u\ta b c\n", 8, 2, 4, &error) && strstr(error.message, "min-seq-len is 2"));
    CHECK(refused("u\ta b c\n", 8, 3, 0, &error) && strstr(error.message, "max-seq-len is 0"));
    NameTable *items = some_items(5);
    Behaviours b;
    const BehavioursOptions options = {.min_seq_len = 3, .max_seq_len = 4};
    CHECK(!behaviours_read(&b, "/nonexistent/users.tsv", items, &options, &error));
    CHECK(strstr(error.message, "/nonexistent/users.tsv"), "%s", error.message);
    name_table_destroy(items);
}

static void long_names_do_not_fill_the_message(void) {
    char text[4000] = "u\ta b ";
    memset(text + 6, '\x01', sizeof text - 7);
    Error error = {""};
    CHECK(refused(text, strlen(text), 3, 4, &error));
    CHECK(strstr(error.message, "\\x01…\" is none of the 5 known items; add it"), "%s", error.message);
}

static void names_may_hold_any_byte(void) {
    static const char text[] = "u\0 1\t\xff\xfe\0 b b\n";
    NameTable *items = some_items(2);
    name_table_add(items, "\xff\xfe\0", 3, NULL);
    Behaviours b;
    Error error = {""};
    CHECK(behaviours_from_bytes(&b, text, sizeof text - 1, items,
                                (BehavioursOptions){.min_seq_len = 3, .max_seq_len = 4}, &error),
          "%s", error.message);
    CHECK(b.item_count == 2 && b.item_rows[1] == 1 && b.item_rows[2] == 2);
    size_t size;
    CHECK(!memcmp(behaviours_user_name(&b, 0, &size), "u\0 1", 4) && size == 4);
    behaviours_free(&b);
    name_table_destroy(items);
}

static void unknown_items_can_be_dropped(void) {
    static const char text[] = "u\ta x b y c\nv\ta x y z\nw\ta b c d e f a b c d e\n";
    NameTable *items = some_items(5);
    Behaviours b;
    Error error = {""};
    const BehavioursOptions options = {.min_seq_len = 3, .max_seq_len = 4, .unknown = UNKNOWN_ITEMS_DROP};
    CHECK(behaviours_from_bytes(&b, text, strlen(text), items, options, &error), "%s", error.message);
    CHECK(b.user_count == 2 && b.item_count == 5);
    CHECK_TEXT(letters(&b, whole(&b, 0)), "abc");
    CHECK_TEXT(letters(&b, whole(&b, 1)), "deabcde"); /* the window is of known items */
    CHECK(b.counts.interactions_unknown == 6 && b.counts.interactions_short == 1 &&
          b.counts.interactions_old == 3 && b.counts.interactions_read == 20);
    behaviours_free(&b);
    CHECK(!behaviours_from_bytes(&b, "u\ta x x\n", 8, items, options, &error));
    CHECK(strstr(error.message, "has 3 interactions with known items"), "%s", error.message);
    name_table_destroy(items);
}

/* Nothing grows with a line but what is kept of it. */
static void a_line_may_be_huge(void) {
    enum { INTERACTIONS = 1000000 };
    char *text = memory_need(2 * INTERACTIONS + 3, 1);
    memcpy(text, "u\t", 2);
    for (size_t i = 0; i < INTERACTIONS; i++) {
        text[2 + 2 * i] = (char)('a' + i % 5);
        text[3 + 2 * i] = i + 1 < INTERACTIONS ? ' ' : '\n';
    }
    Behaviours b = behaviours_from_text(text, 4);
    CHECK_TEXT(letters(&b, whole(&b, 0)), "deabcde");
    CHECK(b.counts.interactions_old == INTERACTIONS - 7 && b.offsets[1] == 7);
    behaviours_free(&b);
    b = behaviours_from_text(text, UINT32_MAX); /* L + 3 does not wrap around */
    CHECK(b.offsets[1] == INTERACTIONS && split_row(&b, SPLIT_TEST, 0).count == INTERACTIONS);
    behaviours_free(&b);
    free(text);
}

/* The example of formats/behaviours.md, and shorter users. */
static void splits_hold_out_the_last_two(void) {
    static const struct {
        const char *items, *train, *valid, *test;
    } cases[] = {{"a b c d e f", "abcd", "bcde", "cdef"},
                 {"z y a b c d e f", "abcd", "bcde", "cdef"},
                 {"a b c d e", "abc", "abcd", "bcde"},
                 {"a b c d", "ab", "abc", "abcd"},
                 {"a b c", "a", "ab", "abc"},
                 {"a a b a a a", "aaba", "abaa", "baaa"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[64];
        snprintf(text, sizeof text, "u\t%s\n", cases[i].items);
        Behaviours b = behaviours_from_text(text, 3);
        CHECK_TEXT(letters(&b, split_row(&b, SPLIT_TRAIN, 0)), cases[i].train);
        CHECK_TEXT(letters(&b, split_row(&b, SPLIT_VALID, 0)), cases[i].valid);
        CHECK_TEXT(letters(&b, split_row(&b, SPLIT_TEST, 0)), cases[i].test);
        CHECK_TEXT(letters(&b, split_history(&b, SPLIT_VALID, 0)), cases[i].train);
        CHECK_TEXT(letters(&b, split_history(&b, SPLIT_TEST, 0)), cases[i].valid);
        CHECK(split_history(&b, SPLIT_TRAIN, 0).count == 0);
        behaviours_free(&b);
    }
    Behaviours b = behaviours_from_text("u\ta b c d e f\n", 3);
    CHECK_TEXT(letters(&b, split_input(&b, SPLIT_TRAIN, 0)), "abc");
    CHECK_TEXT(letters(&b, split_input(&b, SPLIT_VALID, 0)), "bcd");
    CHECK_TEXT(letters(&b, split_input(&b, SPLIT_TEST, 0)), "cde");
    CHECK(split_target(&b, SPLIT_VALID, 0) == 5 && split_target(&b, SPLIT_TEST, 0) == 6);
    behaviours_free(&b);
}

static const char NEXT_USERS[] = "u\ta b c d e f\nv\tz\nw\t\nu\tc c\nx\ty z\n";

static void whole_histories_come_in_blocks(void) {
    static const char *const want[] = {"abcdef", "z", "cc", "yz"}, *const inputs[] = {"def", "z", "cc", "yz"};
    static const char *const names[] = {"u", "v", "u", "x"};
    char path[] = "/tmp/pm-test-users.XXXXXX";
    FILE *file = fdopen(mkstemp(path), "wb");
    fputs(NEXT_USERS, file);
    CHECK(!fclose(file));
    NameTable *items = some_items(26);
    for (size_t most = 1; most <= 5; most++) {
        const BehavioursOptions options = {.min_seq_len = 1, .max_seq_len = 3, .keep_all = true};
        Error error = {""};
        Behaviours b;
        size_t users = 0, dropped = 0, count = 1;
        BehavioursReader *reader = behaviours_reader_open(path, items, &options, &error);
        CHECK(reader, "%s", error.message);
        while (reader && count && behaviours_reader_next(reader, most, &b, &error)) {
            count = b.user_count;
            CHECK(count <= most && b.item_count == 26 && b.known_count == 26);
            CHECK(b.item_rows[26] == 25 && b.item_numbers[0] == 1);
            for (size_t i = 0; i < count && users < 4; i++, users++) {
                CHECK_TEXT(behaviours_user_name(&b, i, NULL), names[users]);
                CHECK_TEXT(letters(&b, split_history(&b, SPLIT_NEXT, i)), want[users]);
                CHECK_TEXT(letters(&b, split_row(&b, SPLIT_NEXT, i)), want[users]);
                CHECK_TEXT(letters(&b, split_input(&b, SPLIT_NEXT, i)), inputs[users]);
            }
            dropped += b.counts.users_short;
            behaviours_free(&b);
        }
        CHECK(!count && users == 4 && dropped == 1, "%zu at a time: %zu users", most, users);
        behaviours_reader_close(reader);
    }
    unlink(path);
    name_table_destroy(items);
}

static void splits_have_names(void) {
    Split split;
    CHECK(split_from_name("valid", &split) && split == SPLIT_VALID);
    CHECK(split_from_name("test", &split) && split == SPLIT_TEST);
    CHECK(split_from_name("train", &split) && split == SPLIT_TRAIN);
    CHECK(!split_from_name("validation", &split));
    CHECK_TEXT(split_name(SPLIT_VALID), "valid");
}

static void popularity_counts_training_rows(void) {
    /* Training: a b, a, c a a. */
    Behaviours b = behaviours_from_text("u\ta b d d\nv\ta e c\nw\tc a a a b\n", 8);
    Error error;
    double *p = split_popularity(&b, &error);
    uint32_t *counts = split_item_counts(&b, SPLIT_TRAIN, &error);
    static const uint32_t want[] = {0, 4, 1, 1, 0, 0};
    for (size_t i = 1; i <= b.item_count; i++)
        CHECK(counts[i] == want[i] && p[i] == want[i] / 6.0, "item %zu", i);
    CHECK(b.item_count == 5 && p[0] == 1 && counts[0] == 0 && counts[26] == 0 && p[26] == 0);
    bool *cold = split_cold_targets(&b, SPLIT_VALID, &error); /* targets d, e, a */
    CHECK(cold[0] && cold[1] && !cold[2]);
    free(cold);
    cold = split_cold_targets(&b, SPLIT_TEST, &error); /* d, c, b */
    CHECK(cold[0] && !cold[1] && !cold[2]);
    free(cold);
    free(counts);
    free(p);
    behaviours_free(&b);
}

static void a_batch_lists_each_item_once(void) {
    /* Training rows: b a b, c, a d. */
    Behaviours b = behaviours_from_text("u\tb a b d c\nv\tc a a\nw\ta d c c\n", 3);
    Error error;
    Batches batches;
    CHECK(batches_create(&batches, &b, SPLIT_TRAIN, 0, &error));
    CHECK(batches_count(&batches) == 1);
    Batch batch = {0};
    batch_fill(&batch, &batches, 0);
    static const size_t offsets[] = {0, 3, 4, 6};
    static const uint32_t items[] = {2, 1, 2, 3, 1, 4}, indices[] = {0, 1, 0, 2, 1, 3};
    static const uint32_t distinct[] = {2, 1, 3, 4};
    CHECK(batch.user_count == 3 && batch.position_count == 6 && batch.distinct_count == 4);
    CHECK(batch.longest == 3 && batch.step_count == 3);
    CHECK(!memcmp(batch.offsets, offsets, sizeof offsets) && !memcmp(batch.items, items, sizeof items) &&
          !memcmp(batch.indices, indices, sizeof indices) &&
          !memcmp(batch.distinct, distinct, sizeof distinct));
    uint32_t padded[12];
    batch_pad(&batch, batch.items, 0, 4, padded);
    static const uint32_t want[] = {0, 2, 1, 2, 0, 0, 0, 3, 0, 0, 1, 4};
    CHECK(!memcmp(padded, want, sizeof want));
    batch_pad(&batch, batch.indices, 9, 2, padded);
    static const uint32_t cut[] = {1, 0, 9, 2, 1, 3};
    CHECK(!memcmp(padded, cut, sizeof cut));
    batches_free(&batches);
    CHECK(batches_create(&batches, &b, SPLIT_TEST, 2, &error)); /* inputs a b d | c a; a d c */
    CHECK(batches_count(&batches) == 2);
    batch_fill(&batch, &batches, 1);
    CHECK(batch.user_count == 1 && batch.users[0] == 2 && batch.position_count == 3 && batch.offsets[0] == 0);
    CHECK(batch.items[0] == 1 && batch.items[1] == 4 && batch.items[2] == 3);
    batch_fill(&batch, &batches, 0);
    CHECK(batch.user_count == 2 && batch.position_count == 5 && batch.distinct_count == 4);
    batch_free(&batch);
    batches_free(&batches);
    behaviours_free(&b);
}

static void a_user_of_three_has_no_step(void) {
    Behaviours b = behaviours_from_text("u\tb a b\n", 3);
    Error error;
    Batches batches;
    Batch batch = {0};
    CHECK(batches_create(&batches, &b, SPLIT_TRAIN, 7, &error));
    CHECK(batches_count(&batches) == 1);
    batch_fill(&batch, &batches, 0);
    CHECK(batch.position_count == 1 && batch.step_count == 0 && batch.distinct_count == 1);
    batch_free(&batch);
    batches_free(&batches);
    behaviours_free(&b);
}

/* One batch against the rows it should hold. */
static void check_batch(const Batches *batches, const Batch *batch, bool *met) {
    const Behaviours *b = batches->behaviours;
    size_t position = 0, steps = 0;
    for (uint32_t i = 0; i < batch->user_count; i++) {
        const uint32_t user = batch->users[i];
        CHECK(user < b->user_count && !met[user], "user %u stands twice", user);
        met[user] = true;
        const Sequence row = batches->split == SPLIT_TRAIN ? split_row(b, SPLIT_TRAIN, user)
                                                           : split_input(b, batches->split, user);
        CHECK(batch->offsets[i] == position && batch->offsets[i + 1] == position + row.count);
        CHECK(!memcmp(batch->items + position, row.items, row.count * sizeof *row.items));
        position += row.count;
        steps += row.count - 1;
    }
    CHECK(position == batch->position_count && steps == batch->step_count);
    uint32_t highest = 0;
    for (size_t i = 0; i < position; i++) {
        CHECK(batch->indices[i] <= highest, "distinct items are not in the order of first occurrence");
        if (batch->indices[i] == highest) highest++;
        CHECK(batch->distinct[batch->indices[i]] == batch->items[i]);
    }
    CHECK(highest == batch->distinct_count);
}

static void every_epoch_holds_every_user_once(void) {
    Random random;
    random_seed(&random, 7, 0);
    Batch batch = {0}; /* one for all, so that what a batch leaves behind would show in the next */
    for (int round = 0; round < 40; round++) {
        Behaviours b = random_behaviours(&random, 1 + (size_t)random_below(&random, 60),
                                         1 + (size_t)random_below(&random, 40), 1 + (uint32_t)round % 9);
        Error error;
        Batches batches;
        CHECK(batches_create(&batches, &b, (Split)(round % 3), (uint32_t)random_below(&random, 12), &error));
        bool *met = memory_need(b.user_count, sizeof *met);
        batches_shuffle(&batches, &random);
        for (size_t i = 0; i < batches_count(&batches); i++) {
            batch_fill(&batch, &batches, i);
            check_batch(&batches, &batch, met);
        }
        for (size_t user = 0; user < b.user_count; user++)
            CHECK(met[user], "user %zu is in no batch", user);
        free(met);
        batches_free(&batches);
        behaviours_free(&b);
    }
    batch_free(&batch);
}

static void the_order_depends_on_the_seed_alone(void) {
    Random random;
    random_seed(&random, 3, 0);
    Behaviours b = random_behaviours(&random, 100, 10, 5);
    Error error;
    Batches one, other, all;
    CHECK(batches_create(&one, &b, SPLIT_TRAIN, 8, &error) &&
          batches_create(&other, &b, SPLIT_TRAIN, 8, &error) &&
          batches_create(&all, &b, SPLIT_TRAIN, 0, &error));
    const size_t size = b.user_count * sizeof *one.order;
    batches_shuffle(&other, &random); /* what was before does not matter */
    Random copy = random;
    batches_shuffle(&one, &random);
    batches_shuffle(&other, &copy);
    CHECK(!memcmp(one.order, other.order, size));
    batches_shuffle(&other, &copy);
    CHECK(memcmp(one.order, other.order, size), "two epochs in the same order");
    batches_shuffle(&all, &random);
    for (uint32_t user = 0; user < b.user_count; user++)
        CHECK(all.order[user] == user);
    batches_free(&one);
    batches_free(&other);
    batches_free(&all);
    behaviours_free(&b);
}

RUN_TESTS(TEST(golden_runs_are_read_alike), TEST(short_users_and_old_interactions_are_dropped),
          TEST(nothing_dropped_is_said_in_short), TEST(line_ends_do_not_matter),
          TEST(malformed_files_are_refused), TEST(unknown_items_that_are_not_kept_do_no_harm),
          TEST(impossible_requests_are_refused), TEST(long_names_do_not_fill_the_message),
          TEST(names_may_hold_any_byte), TEST(unknown_items_can_be_dropped), TEST(a_line_may_be_huge),
          TEST(splits_hold_out_the_last_two), TEST(whole_histories_come_in_blocks), TEST(splits_have_names),
          TEST(popularity_counts_training_rows), TEST(a_batch_lists_each_item_once),
          TEST(a_user_of_three_has_no_step), TEST(every_epoch_holds_every_user_once),
          TEST(the_order_depends_on_the_seed_alone))

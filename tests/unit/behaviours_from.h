/* Behaviours and other small inputs for tests, from text and from golden files. */
#ifndef TESTS_BEHAVIOURS_FROM_H
#define TESTS_BEHAVIOURS_FROM_H

#include "check.h"

#include "core/file.h"
#include "core/memory.h"
#include "core/random.h"
#include "data/behaviours.h"

#include <unistd.h>

/* The items "a", "b", …, and "i26", "i27", … when there are more. */
static inline NameTable *some_items(size_t count) {
    NameTable *items = name_table_create();
    for (size_t i = 0; i < count; i++) {
        char name[32];
        const int size = i < 26 ? snprintf(name, sizeof name, "%c", (int)('a' + i))
                                : snprintf(name, sizeof name, "i%zu", i);
        name_table_add(items, name, (size_t)size, NULL);
    }
    return items;
}

/* Reads `size` bytes as users.tsv. */
static inline bool behaviours_from_bytes(Behaviours *behaviours, const char *bytes, size_t size,
                                         const NameTable *items, BehavioursOptions options, Error *error) {
    char path[] = "/tmp/pm-test-users.XXXXXX";
    const int descriptor = mkstemp(path);
    FILE *file = fdopen(descriptor, "wb");
    CHECK(fwrite(bytes, 1, size, file) == size);
    CHECK(!fclose(file));
    const bool fine = behaviours_read(behaviours, path, items, &options, error);
    unlink(path);
    return fine;
}

/* As users of the items "a" … "z", with the shortest history of 3 and L = `max_seq_len`. */
static inline Behaviours behaviours_from_text(const char *text, uint32_t max_seq_len) {
    NameTable *items = some_items(26);
    Behaviours behaviours;
    Error error = {""};
    const BehavioursOptions options = {.min_seq_len = 3, .max_seq_len = max_seq_len};
    CHECK(behaviours_from_bytes(&behaviours, text, strlen(text), items, options, &error), "%s",
          error.message);
    name_table_destroy(items);
    return behaviours;
}

/* Random users of `item_count` items, 0 to 19 interactions each; an item may come more than once. */
static inline Behaviours random_behaviours(Random *random, size_t users, size_t item_count,
                                           uint32_t max_seq_len) {
    NameTable *items = some_items(item_count);
    char *text;
    size_t size;
    FILE *file = open_memstream(&text, &size);
    for (size_t user = 0; user < users; user++) {
        fprintf(file, "user %zu\t", user);
        const uint64_t length = user ? random_below(random, 20) : 19; /* one is long enough in any case */
        for (uint64_t i = 0; i < length; i++)
            fprintf(file, "%s%s", i ? " " : "",
                    name_table_name(items, (size_t)random_below(random, item_count), NULL));
        fputc('\n', file);
    }
    fclose(file);
    Behaviours behaviours;
    Error error = {""};
    const BehavioursOptions options = {.min_seq_len = 3, .max_seq_len = max_seq_len};
    CHECK(behaviours_from_bytes(&behaviours, text, size, items, options, &error), "%s", error.message);
    free(text);
    name_table_destroy(items);
    return behaviours;
}

/* tests/golden/runs/RUN/FILE as text, to be freed. */
static inline char *golden_run_file(const char *run, const char *file) {
    const char *project = getenv("PROJECT");
    char path[1024];
    snprintf(path, sizeof path, "%s/tests/golden/runs/%s/%s", project ? project : ".", run, file);
    Error error = {""};
    size_t size;
    char *text = (char *)file_read(path, 1 << 20, &size, &error);
    CHECK(text, "%s", error.message);
    return text ? text : memory_copy_text("", 0);
}

static const struct GoldenRun {
    const char *name;
    uint32_t max_seq_len;
    uint32_t users, items;
} GOLDEN_RUNS[] = {
    {"modal-merge_attn-sasrec", 8, 113, 60}, {"text-only-sasrec", 8, 111, 60}, {"freeze2", 6, 40, 30}};
enum { GOLDEN_RUN_COUNT = sizeof GOLDEN_RUNS / sizeof *GOLDEN_RUNS };

/* The names before the first TAB of each line. */
static inline NameTable *first_column(char *text) {
    NameTable *names = name_table_create();
    char *rest = text;
    for (char *line; (line = strsep(&rest, "\n")) && *line;)
        name_table_add(names, line, strcspn(line, "\t"), NULL);
    return names;
}

/* The run's behaviours, and its items in the order of items.tsv. */
static inline Behaviours golden_behaviours(const struct GoldenRun *run, NameTable **items) {
    char *text = golden_run_file(run->name, "items.tsv");
    *items = first_column(text);
    free(text);
    char *users = golden_run_file(run->name, "users.tsv");
    Behaviours behaviours;
    Error error = {""};
    const BehavioursOptions options = {.min_seq_len = 3, .max_seq_len = run->max_seq_len};
    CHECK(behaviours_from_bytes(&behaviours, users, strlen(users), *items, options, &error), "%s",
          error.message);
    free(users);
    return behaviours;
}

#endif

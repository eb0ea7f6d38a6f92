#include "check.h"

#include "core/memory.h"
#include "core/name_table.h"

enum { NAMES = 20000, LONGEST = 3 << 20 };

/* Of every size up to 300 bytes and, here and there, larger than what names are packed into. */
static size_t size_of(size_t i) {
    return i % 4999 == 4998 ? LONGEST - i : 5 + i % 300;
}

static const char *name_of(size_t i, char *bytes) {
    memset(bytes, (int)(i % 256), size_of(i));
    bytes[4] = 0;
    for (int byte = 0; byte < 4; byte++)
        bytes[byte] = (char)(i >> 8 * byte);
    return bytes;
}

static void names_come_back(void) {
    char *bytes = memory_need(LONGEST, 1);
    NameTable *table = name_table_create();
    for (int round = 0; round < 2; round++)
        for (size_t i = 0; i < NAMES; i++) {
            bool added;
            CHECK(name_table_add(table, name_of(i, bytes), size_of(i), &added) == i, "name %zu", i);
            CHECK(added == (round == 0), "name %zu", i);
        }
    CHECK(name_table_count(table) == NAMES);
    for (size_t i = 0; i < NAMES; i++) {
        size_t size;
        const char *name = name_table_name(table, i, &size);
        CHECK(size == size_of(i) && !memcmp(name, name_of(i, bytes), size) && !name[size], "name %zu", i);
        CHECK(name_table_find(table, bytes, size) == i, "name %zu", i);
        CHECK(name_table_find(table, bytes, size - 1) == SIZE_MAX, "name %zu", i);
    }
    name_table_destroy(table);
    free(bytes);
}

static void the_empty_name_is_one(void) {
    NameTable *table = name_table_create();
    size_t size = 1;
    CHECK(name_table_find(table, "", 0) == SIZE_MAX);
    CHECK(name_table_add(table, "", 0, NULL) == 0 && name_table_find(table, "", 0) == 0);
    CHECK(!*name_table_name(table, 0, &size) && size == 0);
    name_table_destroy(table);
}

/* Those that were cut may come again in another order. */
static void a_cut_takes_the_last_names(void) {
    enum { LEFT = NAMES / 3 };
    char *bytes = memory_need(LONGEST, 1);
    NameTable *table = name_table_create();
    for (size_t i = 0; i < NAMES; i++)
        name_table_add(table, name_of(i, bytes), size_of(i), NULL);
    name_table_cut(table, LEFT);
    CHECK(name_table_count(table) == LEFT);
    for (size_t i = 0; i < NAMES; i++) {
        const size_t found = name_table_find(table, name_of(i, bytes), size_of(i));
        CHECK(found == (i < LEFT ? i : SIZE_MAX), "name %zu", i);
    }
    for (size_t i = NAMES; i-- > 0;) {
        const size_t number = i < LEFT ? i : LEFT + NAMES - 1 - i;
        CHECK(name_table_add(table, name_of(i, bytes), size_of(i), NULL) == number, "name %zu", i);
        CHECK(!memcmp(name_table_name(table, number, NULL), bytes, size_of(i)), "name %zu", i);
    }
    CHECK(name_table_count(table) == NAMES);
    name_table_destroy(table);
    free(bytes);
}

RUN_TESTS(TEST(names_come_back), TEST(the_empty_name_is_one), TEST(a_cut_takes_the_last_names))

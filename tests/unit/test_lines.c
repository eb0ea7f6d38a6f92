/* Text files and catalogues: what is a line, what is refused, and where. */
#include "check.h"

#include "core/memory.h"
#include "core/random.h"
#include "data/catalogue.h"

#include <unistd.h>

/* A file that holds these bytes, until the next call. */
static const char *file_of(const char *bytes, size_t size) {
    static char path[] = "/tmp/pm-test-XXXXXX";
    memcpy(path + sizeof path - 7, "XXXXXX", 6);
    const int descriptor = mkstemp(path);
    FILE *file = fdopen(descriptor, "wb");
    fwrite(bytes, 1, size, file);
    fclose(file);
    return path;
}

/* The lines of a file, each in brackets; or the error. */
static const char *lines_of(const char *bytes, size_t size) {
    static char text[4096];
    Error error;
    Line line;
    int status;
    const char *path = file_of(bytes, size);
    LineReader *reader = line_reader_open(path, &error);
    text[0] = 0;
    for (uint64_t number = 1; (status = line_reader_next(reader, &line, &error)) > 0; number++) {
        CHECK(line.number == number && strlen(line.bytes) <= line.size, "line %d", (int)number);
        snprintf(text + strlen(text), sizeof text - strlen(text), "[%s]", line.bytes);
    }
    if (status < 0) snprintf(text, sizeof text, "%s", error.message + strlen(path));
    line_reader_close(reader);
    unlink(path);
    return text;
}

#define CHECK_LINES(bytes, want)                                                                             \
    do {                                                                                                     \
        const char *got = lines_of(bytes, sizeof bytes - 1);                                                 \
        CHECK(!strcmp(got, want), "%s", got);                                                                \
    } while (0)

static void lines_end_at_line_feeds_only(void) {
    CHECK_LINES("", "");
    CHECK_LINES("a", "[a]");
    CHECK_LINES("a\nb\n", "[a][b]");
    CHECK_LINES("a\n\n\nb", "[a][][][b]");
    CHECK_LINES("a\vb\fc\xc2\x85\xe2\x80\xa8\rd\n", "[a\vb\fc\xc2\x85\xe2\x80\xa8\rd]");
}

static void carriage_returns_belong_to_line_ends_when_the_first_has_one(void) {
    CHECK_LINES("a\r\nb\r\nc", "[a][b][c]");
    CHECK_LINES("a\r\nb\r\r\nc\r", "[a][b\r][c]");
    CHECK_LINES("a\nb\r\n", "[a][b\r]");
    CHECK_LINES("a\r", "[a\r]");
}

static void byte_order_marks(void) {
    CHECK_LINES(
        "\xef\xbb\xbf"
        "a\nb\n",
        "[a][b]");
    CHECK_LINES("\xef\xbb\xbf", "");
    CHECK_LINES("\xef\xbb", "[\xef\xbb]");
    CHECK_LINES(
        "a\n\xef\xbb\xbf"
        "b\n",
        "[a][\xef\xbb\xbf"
        "b]");
    CHECK_LINES(
        "\xff\xfe"
        "a\0\t\0",
        ":1: this is UTF-16; convert it with iconv -f UTF-16 -t UTF-8");
    CHECK_LINES("\xfe\xff\0a\0\t", ":1: this is UTF-16; convert it with iconv -f UTF-16 -t UTF-8");
}

static void long_lines_are_read_and_longer_ones_refused(void) {
    const size_t limit = 64u << 20;
    char *bytes = memory_need(limit + 16, 1);
    Error error;
    Line line;
    memset(bytes, 'x', limit + 16);
    bytes[1] = bytes[limit + 2] = '\n';
    LineReader *reader = line_reader_open(file_of(bytes, limit + 3), &error);
    CHECK(line_reader_next(reader, &line, &error) == 1 && line.size == 1, "the short line");
    CHECK(line_reader_next(reader, &line, &error) == 1 && line.size == limit, "the longest line");
    CHECK(line_reader_next(reader, &line, &error) == 0, "the end");
    unlink(line_reader_name(reader));
    line_reader_close(reader);
    bytes[limit + 2] = 'x';
    reader = line_reader_open(file_of(bytes, limit + 4), &error);
    CHECK(line_reader_next(reader, &line, &error) == 1, "the short line");
    CHECK(line_reader_next(reader, &line, &error) == -1 &&
              strstr(error.message, ":2: the line is longer than 64 MiB"),
          "%s", error.message);
    unlink(line_reader_name(reader));
    line_reader_close(reader);
    free(bytes);
}

static void the_content_is_that_of_all_bytes(void) {
    static const char *const files[] = {"a\nb\n", "a\r\nb\r\n", "a\nb"};
    char seen[3][64];
    for (int i = 0; i < 3; i++) {
        Catalogue catalogue;
        Error error;
        Line line;
        const char *path = file_of(files[i], strlen(files[i]));
        LineReader *reader = line_reader_open(path, &error);
        while (line_reader_next(reader, &line, &error) > 0)
            continue;
        json_t *content = line_reader_content(reader);
        snprintf(seen[i], sizeof seen[i], "%s", json_string_value(json_object_get(content, "hash")));
        CHECK(!catalogue_read(&catalogue, path, &error), "a line without a TAB");
        json_decref(content);
        line_reader_close(reader);
        unlink(path);
    }
    CHECK(strcmp(seen[0], seen[1]) && strcmp(seen[0], seen[2]) && !strncmp(seen[0], "xxh3:", 5), "%s",
          seen[0]);
}

static void check_refused(const char *bytes, size_t size, const char *want) {
    Catalogue catalogue;
    Error error = {""};
    const char *path = file_of(bytes, size);
    const bool refused = !catalogue_read(&catalogue, path, &error);
    CHECK(refused && !strncmp(error.message + strlen(path), want, strlen(want)), "%s", error.message);
    if (!refused) catalogue_free(&catalogue);
    unlink(path);
}

#define CHECK_REFUSED(bytes, want) check_refused(bytes, sizeof bytes - 1, want)

static void catalogues_that_are_refused(void) {
    CHECK_REFUSED("", ": no items");
    CHECK_REFUSED("a\tx\n\nb\ty\n", ":2: empty line");
    CHECK_REFUSED("a\tx\nb y\n", ":2: no TAB");
    CHECK_REFUSED("\tx\n", ":1: no item name");
    CHECK_REFUSED("a b\tx\n", ":1: a space in the item name");
    CHECK_REFUSED("a\tx\ty\n", ":1: a second TAB");
    CHECK_REFUSED("a\tx\nb\ty\na\tz\n", ":3: item a stands on line 1 already");
    CHECK_REFUSED("a\tx\nb\ty\xff\n", ":2:3: the text is not UTF-8");
    char *bytes = memory_need(70000, 1);
    memset(bytes, 'n', 70000);
    bytes[69990] = '\t';
    check_refused(bytes, 70000, ":1: the item name is longer than 64 KiB");
    free(bytes);
}

static void a_catalogue_names_its_items_in_order(void) {
    static const char bytes[] = "b\tx\n\xff\t\na\0c\t\0\n";
    Catalogue catalogue;
    Error error;
    size_t size;
    const char *path = file_of(bytes, sizeof bytes - 1);
    CHECK(catalogue_read(&catalogue, path, &error), "%s", error.message);
    CHECK(name_table_count(catalogue.names) == 3, "%zu items", name_table_count(catalogue.names));
    CHECK(!strcmp(name_table_name(catalogue.names, 0, NULL), "b"), "the first");
    CHECK(!strcmp(name_table_name(catalogue.names, 1, NULL), "\xff"), "names are any bytes");
    CHECK(!memcmp(name_table_name(catalogue.names, 2, &size), "a\0c", 4) && size == 3, "with a NUL in it");
    catalogue_free(&catalogue);
    unlink(path);
    CHECK(!catalogue_read(&catalogue, "/tmp", &error) && strstr(error.message, "Is a directory"), "%s",
          error.message);
    CHECK(!catalogue_read(&catalogue, "/nonexistent", &error), "%s", error.message);
}

/* Whatever the bytes: a catalogue or a message that names the file. */
static void random_bytes_are_read_or_refused(void) {
    static const char alphabet[] = "ab\t\t\t\n\n\r \xc3\xa9\xe2\x82\xac\xff\0x";
    Random random;
    random_seed(&random, 1, 0);
    int read = 0, refused = 0;
    for (int i = 0; i < 3000; i++) {
        char bytes[64] = {0};
        Catalogue catalogue;
        Error error;
        const size_t size = random_below(&random, sizeof bytes);
        for (size_t k = 0; k < size; k++)
            bytes[k] = alphabet[random_below(&random, i % 2 ? sizeof alphabet - 1 : 7)];
        const char *path = file_of(bytes, size);
        if (catalogue_read(&catalogue, path, &error)) {
            read++;
            catalogue_free(&catalogue);
        } else {
            refused++;
            CHECK(!strncmp(error.message, path, strlen(path)), "%s", error.message);
        }
        unlink(path);
    }
    CHECK(read > 10 && refused > 1000, "%d read, %d refused", read, refused);
}

RUN_TESTS(TEST(lines_end_at_line_feeds_only),
          TEST(carriage_returns_belong_to_line_ends_when_the_first_has_one), TEST(byte_order_marks),
          TEST(long_lines_are_read_and_longer_ones_refused), TEST(the_content_is_that_of_all_bytes),
          TEST(catalogues_that_are_refused), TEST(a_catalogue_names_its_items_in_order),
          TEST(random_bytes_are_read_or_refused))

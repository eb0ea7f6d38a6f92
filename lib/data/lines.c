#include "data/lines.h"

#include "core/file.h"
#include "core/file_kind.h"
#include "core/memory.h"
#include "data/text_input.h"
#include "stream/content_hash.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { LOOKED_AT = 512, READ_SIZE = 1 << 16, MAX_LINE = 64 << 20 };

struct LineReader {
    TextInput *input;
    char *name;
    ContentHash *hash;
    char *buffer;
    size_t start, end, capacity; /* what was read and not yet handed out is buffer[start … end) */
    uint64_t number;             /* of the last line handed out */
    bool ended, carriage_returns;
};

LineReader *line_reader_open(const char *path, Error *error) {
    TextInput *input = text_input_open(path, error);
    if (!input) return NULL;
    LineReader *reader = memory_need(1, sizeof *reader);
    const char *name = file_display_name(path);
    reader->input = input;
    reader->name = memory_copy_text(name, strlen(name));
    reader->hash = content_hash_create();
    return reader;
}

void line_reader_close(LineReader *reader) {
    if (!reader) return;
    text_input_close(reader->input);
    content_hash_destroy(reader->hash);
    free(reader->name);
    free(reader->buffer);
    free(reader);
}

const char *line_reader_name(const LineReader *reader) {
    return reader->name;
}

json_t *line_reader_content(const LineReader *reader) {
    return content_of_hash(reader->hash);
}

/* Reads more behind what is held; at the end of the file sets `ended`. One byte stays free for a NUL. */
static bool fill(LineReader *reader, Error *error) {
    if (reader->start > 0) {
        memmove(reader->buffer, reader->buffer + reader->start, reader->end - reader->start);
        reader->end -= reader->start;
        reader->start = 0;
    }
    reader->buffer = memory_grow(reader->buffer, &reader->capacity, reader->end + READ_SIZE + 1, 1);
    size_t got;
    if (!text_input_read(reader->input, reader->buffer + reader->end, READ_SIZE, &got, error))
        return error_prefix(error, "%s: ", reader->name);
    content_hash_update(reader->hash, reader->buffer + reader->end, got);
    reader->end += got;
    reader->ended = got == 0;
    return true;
}

/* Passes over a byte order mark. UTF-16 has one of its own, and NUL bytes, which no other text begins with.
 */
static bool begin(LineReader *reader, Error *error) {
    while (reader->end < LOOKED_AT && !reader->ended)
        if (!fill(reader, error)) return false;
    const char *bytes = reader->buffer;
    if (file_kind_is_binary(bytes, reader->end))
        return error_set(error, "%s: a text is needed, not %s", reader->name,
                         file_kind_describe(bytes, reader->end));
    if (reader->end >= 3 && !memcmp(bytes, "\xef\xbb\xbf", 3)) reader->start = 3;
    if (reader->end >= 4 && (!memcmp(bytes, "\xff\xfe", 2) || !memcmp(bytes, "\xfe\xff", 2)) &&
        (!bytes[2] || !bytes[3]))
        return error_set(error, "%s:1: this is UTF-16; convert it with iconv -f UTF-16 -t UTF-8",
                         reader->name);
    return true;
}

bool line_names_columns(const Line *line) {
    static const char *const names[] = {"item",       "item_id",     "itemid",      "id",
                                        "asin",       "parent_asin", "movie_id",    "movieid",
                                        "article_id", "product_id",  "news_id",     "user",
                                        "user_id",    "userid",      "customer_id", "reviewer_id"};
    static const char *const others[] = {"title",      "text",    "name",     "description",
                                         "item_title", "items",   "item_ids", "item_id",
                                         "item",       "history", "sequence", "behaviors"};
    const char *tab = memchr(line->bytes, '\t', line->size);
    const size_t first = tab ? (size_t)(tab - line->bytes) : 0, second = tab ? line->size - first - 1 : 0;
    bool is_first = false, is_second = false;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        is_first |= strlen(names[i]) == first && !strncasecmp(line->bytes, names[i], first);
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        is_second |= strlen(others[i]) == second && !strncasecmp(tab + 1, others[i], second);
    return line->number == 1 && is_first && is_second;
}

/* The size of the first line that is held, or SIZE_MAX when the file ended; *terminated says whether an LF is
 * behind it. */
static bool find_line_end(LineReader *reader, size_t *size, bool *terminated, Error *error) {
    size_t searched = 0;
    for (;;) {
        const char *from = reader->buffer + reader->start;
        const size_t held = reader->end - reader->start;
        const char *line_feed = held > searched ? memchr(from + searched, '\n', held - searched) : NULL;
        *size = line_feed ? (size_t)(line_feed - from) : held;
        *terminated = line_feed;
        if (*size > MAX_LINE)
            return error_set(error, "%s:%" PRIu64 ": the line is longer than %d MiB", reader->name,
                             reader->number + 1, MAX_LINE >> 20);
        if (line_feed) return true;
        if (reader->ended) {
            if (held == 0) *size = SIZE_MAX;
            return true;
        }
        searched = held;
        if (!fill(reader, error)) return false;
    }
}

int line_reader_next(LineReader *reader, Line *line, Error *error) {
    size_t size;
    bool terminated;
    if (!reader->buffer && !begin(reader, error)) return -1;
    if (!find_line_end(reader, &size, &terminated, error)) return -1;
    if (size == SIZE_MAX) return 0;
    char *bytes = reader->buffer + reader->start;
    reader->start += size + terminated;
    reader->number++;
    const bool carriage_return = size > 0 && bytes[size - 1] == '\r';
    if (reader->number == 1) reader->carriage_returns = carriage_return && terminated;
    if (reader->carriage_returns && carriage_return) size--;
    bytes[size] = 0;
    *line = (Line){bytes, size, reader->number};
    return 1;
}

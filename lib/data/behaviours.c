#include "data/behaviours.h"

#include "core/memory.h"
#include "data/lines.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { MIN_SEQ_LEN = 3, KEPT_BEYOND_L = 3, QUOTED_BYTES = 64, QUOTED = 4 * QUOTED_BYTES + 4 };

/* A name for a message: what cannot be printed as \xNN, and not longer than a line bears. */
static const char *quote(const char *name, size_t size, char text[QUOTED]) {
    char *at = text;
    for (size_t i = 0; i < size && i < QUOTED_BYTES; i++) {
        const unsigned char byte = (unsigned char)name[i];
        const bool plain = byte >= ' ' && byte != 0x7f && byte != '\\';
        at += snprintf(at, (size_t)(text + QUOTED - at), plain ? "%c" : "\\x%02x", byte);
    }
    strcpy(at, size > QUOTED_BYTES ? "…" : "");
    return text;
}

/* What lasts only while the file is read. */
typedef struct BehavioursReader Reading;
struct BehavioursReader {
    Behaviours *behaviours;
    const NameTable *items;
    LineReader *reader;
    BehavioursOptions options; /* of behaviours_reader_open */
    size_t used, sequence_capacity, offset_capacity, user_capacity;
    const char *unknown;             /* the line's last unknown item, or NULL */
    size_t unknown_size, unknown_at; /* its length, and its place in the sequences */
};

static bool add_user_name(Reading *reading, const char *user, size_t size, uint32_t *number, Error *error) {
    if (!size) return error_set(error, "no user before the TAB");
    bool added;
    const size_t found = name_table_add(reading->behaviours->names, user, size, &added);
    if (!added && !reading->behaviours->options.keep_all) {
        char text[QUOTED];
        /* Every line is a user, so that the n-th name was in line n. */
        return error_set(error, "user \"%s\" stands already in line %zu; a user has one line: join them",
                         quote(user, size, text), found + 1);
    }
    if (found >= UINT32_MAX - 1) return error_set(error, "more than %" PRIu32 " users", UINT32_MAX - 1);
    *number = (uint32_t)found;
    return true;
}

static bool is_left_out(const BehavioursOptions *options, size_t row) {
    return options->left_out && options->left_out[row];
}

/* Where a name stands among the given ones, or SIZE_MAX. */
static size_t find_item(const Reading *reading, const char *item, size_t size) {
    const size_t row = name_table_find(reading->items, item, size);
    return row != SIZE_MAX && is_left_out(&reading->behaviours->options, row) ? SIZE_MAX : row;
}

static size_t count_items(const Reading *reading) {
    size_t count = 0;
    for (size_t row = 0; row < name_table_count(reading->items); row++)
        count += !is_left_out(&reading->behaviours->options, row);
    return count;
}

/* Appends one item, as its place among the given ones. An unknown one is an error only if it is kept. */
static void add_item(Reading *reading, const char *item, size_t size) {
    Behaviours *behaviours = reading->behaviours;
    const size_t row = find_item(reading, item, size);
    behaviours->counts.interactions_read++;
    if (row == SIZE_MAX && behaviours->options.unknown == UNKNOWN_ITEMS_DROP) {
        behaviours->counts.interactions_unknown++;
        return;
    }
    if (row == SIZE_MAX) {
        reading->unknown = item;
        reading->unknown_size = size;
        reading->unknown_at = reading->used;
    }
    behaviours->sequences = memory_grow(behaviours->sequences, &reading->sequence_capacity, reading->used + 1,
                                        sizeof *behaviours->sequences);
    behaviours->sequences[reading->used++] = (uint32_t)row;
}

/* Appends the items of a line, which begin at `items`. */
static bool add_items(Reading *reading, const Line *line, const char *items, Error *error) {
    const char *end = line->bytes + line->size;
    if (items == end) return true;
    const char *tab = memchr(items, '\t', (size_t)(end - items));
    if (tab)
        return error_set(error, "a second TAB at byte %zu; single spaces separate items",
                         (size_t)(tab - line->bytes) + 1);
    for (;;) {
        const char *space = memchr(items, ' ', (size_t)(end - items));
        const size_t size = (size_t)((space ? space : end) - items);
        if (!size)
            return error_set(error,
                             "an empty item name at byte %zu; single spaces separate items, and none stands "
                             "before the first or after the last",
                             (size_t)(items - line->bytes) + 1);
        add_item(reading, items, size);
        if (!space) return true;
        items = space + 1;
    }
}

/* Keeps of a user's interactions, which end the sequences, the last L + 3 or all, or drops the user. */
static bool keep_user(Reading *reading, uint32_t name, Error *error) {
    Behaviours *behaviours = reading->behaviours;
    const size_t start = behaviours->offsets[behaviours->user_count], count = reading->used - start;
    if (count < behaviours->options.min_seq_len) {
        behaviours->counts.users_short++;
        behaviours->counts.interactions_short += count;
        reading->used = start;
        return true;
    }
    const size_t most =
        behaviours->options.keep_all ? SIZE_MAX : (size_t)behaviours->options.max_seq_len + KEPT_BEYOND_L;
    const size_t old = count > most ? count - most : 0;
    if (reading->unknown && reading->unknown_at >= start + old) {
        char text[QUOTED];
        return error_set(error,
                         "item \"%s\" is none of the %zu known items; add it to them or take it out here",
                         quote(reading->unknown, reading->unknown_size, text), count_items(reading));
    }
    if (old) {
        memmove(behaviours->sequences + start, behaviours->sequences + start + old,
                most * sizeof *behaviours->sequences);
        behaviours->counts.interactions_old += old;
        reading->used = start + most;
    }
    const size_t user = behaviours->user_count++;
    behaviours->offsets =
        memory_grow(behaviours->offsets, &reading->offset_capacity, user + 2, sizeof *behaviours->offsets);
    behaviours->offsets[user + 1] = reading->used;
    behaviours->user_names = memory_grow(behaviours->user_names, &reading->user_capacity, user + 1,
                                         sizeof *behaviours->user_names);
    behaviours->user_names[user] = name;
    return true;
}

static bool read_line(Reading *reading, const Line *line, Error *error) {
    const char *tab = memchr(line->bytes, '\t', line->size);
    if (line_names_columns(line))
        return error_set(error,
                         "a header line; the file has none, every line is a user: take it out (tail -n +2)");
    if (!tab)
        return error_set(error, "%s; a line is a user, a TAB, and items separated by spaces",
                         line->size ? "no TAB" : "an empty line");
    uint32_t name = 0;
    if (!add_user_name(reading, line->bytes, (size_t)(tab - line->bytes), &name, error)) return false;
    reading->behaviours->counts.users_read++;
    reading->unknown = NULL;
    return add_items(reading, line, tab + 1, error) && keep_user(reading, name, error);
}

static bool check_what_is_left(const Behaviours *behaviours, Error *error) {
    const BehavioursCounts *counts = &behaviours->counts;
    if (!counts->users_read)
        return error_set(error, "%s: empty; a line a user was expected", behaviours->source);
    if (!behaviours->user_count)
        return error_set(error, "%s: none of the %" PRIu64 " users has %" PRIu32 " interactions%s",
                         behaviours->source, counts->users_read, behaviours->options.min_seq_len,
                         counts->interactions_unknown ? " with known items" : "");
    return true;
}

/* Lines until `most` users are kept or the file ends. */
static bool read_lines(Reading *reading, size_t most, Error *error) {
    Behaviours *behaviours = reading->behaviours;
    Line line;
    int got = 1;
    while (behaviours->user_count < most && (got = line_reader_next(reading->reader, &line, error)) > 0)
        if (!read_line(reading, &line, error))
            return error_prefix(error, "%s:%" PRIu64 ": ", behaviours->source, line.number);
    if (got < 0) return false;
    behaviours->sequences =
        memory_resize(behaviours->sequences, reading->used, sizeof *behaviours->sequences);
    return true;
}

/* Turns the places among the given names, which the sequences hold so far, into item numbers. */
static bool number_items(Behaviours *behaviours, size_t names, Error *error) {
    uint32_t *numbers = memory_allocate(names, sizeof *numbers, error);
    uint32_t *rows = memory_allocate(names + 1, sizeof *rows, error);
    behaviours->item_numbers = numbers;
    behaviours->item_rows = rows;
    if (!numbers || !rows) return false;
    const size_t interactions = behaviours->offsets[behaviours->user_count];
    for (size_t i = 0; i < interactions; i++)
        numbers[behaviours->sequences[i]] = 1; /* met */
    for (size_t row = 0; row < names; row++)
        if (numbers[row]) numbers[row] = ++behaviours->item_count;
    behaviours->known_count = behaviours->item_count;
    for (size_t row = 0; row < names; row++) {
        if (is_left_out(&behaviours->options, row)) continue;
        if (!numbers[row]) numbers[row] = ++behaviours->known_count;
        rows[numbers[row]] = (uint32_t)row;
    }
    for (size_t i = 0; i < interactions; i++)
        behaviours->sequences[i] = numbers[behaviours->sequences[i]];
    return true;
}

/* Numbers all given items in their order, for sequences that hold their places. */
static bool number_all_items(Behaviours *behaviours, size_t known, Error *error) {
    behaviours->item_numbers = memory_allocate(known, sizeof(uint32_t), error);
    behaviours->item_rows = memory_allocate(known + 1, sizeof(uint32_t), error);
    if (!behaviours->item_numbers || !behaviours->item_rows) return false;
    behaviours->item_count = behaviours->known_count = (uint32_t)known;
    for (uint32_t row = 0; row < known; row++) {
        behaviours->item_numbers[row] = row + 1;
        behaviours->item_rows[row + 1] = row;
    }
    const size_t interactions = behaviours->offsets[behaviours->user_count];
    for (size_t i = 0; i < interactions; i++)
        behaviours->sequences[i]++;
    return true;
}

static bool check_request(const NameTable *items, const BehavioursOptions *options, Error *error) {
    if (options->min_seq_len < (options->keep_all ? 1 : MIN_SEQ_LEN))
        return error_set(error,
                         "min-seq-len is %" PRIu32
                         "; a user needs at least %d interactions: one to train "
                         "on, one to validate and one to test with",
                         options->min_seq_len, MIN_SEQ_LEN);
    if (!options->max_seq_len) return error_set(error, "max-seq-len is 0; it must be at least 1");
    if (name_table_count(items) > UINT32_MAX - 1)
        return error_set(error, "%zu items; more than %" PRIu32 " cannot be numbered",
                         name_table_count(items), UINT32_MAX - 1);
    return true;
}

/* Behaviours of no user yet, for the next lines. */
static void start_behaviours(Reading *reading, Behaviours *behaviours, const BehavioursOptions *options) {
    const char *name = line_reader_name(reading->reader);
    *behaviours = (Behaviours){.options = *options, .source = memory_copy_text(name, strlen(name))};
    behaviours->names = name_table_create();
    reading->behaviours = behaviours;
    reading->used = reading->sequence_capacity = reading->offset_capacity = reading->user_capacity = 0;
    behaviours->offsets = memory_grow(NULL, &reading->offset_capacity, 1, sizeof *behaviours->offsets);
    behaviours->offsets[0] = 0;
}

bool behaviours_read(Behaviours *behaviours, const char *path, const NameTable *items,
                     const BehavioursOptions *options, Error *error) {
    *behaviours = (Behaviours){.options = *options};
    if (!check_request(items, options, error)) return false;
    LineReader *reader = line_reader_open(path, error);
    if (!reader) return false;
    Reading reading = {.items = items, .reader = reader};
    start_behaviours(&reading, behaviours, options);
    const bool fine = read_lines(&reading, SIZE_MAX, error) && check_what_is_left(behaviours, error) &&
                      number_items(behaviours, name_table_count(items), error);
    if (fine) behaviours->content = line_reader_content(reader);
    behaviours->options.left_out = NULL; /* not needed afterwards */
    line_reader_close(reader);
    if (!fine) behaviours_free(behaviours);
    return fine;
}

BehavioursReader *behaviours_reader_open(const char *path, const NameTable *items,
                                         const BehavioursOptions *options, Error *error) {
    LineReader *lines = check_request(items, options, error) ? line_reader_open(path, error) : NULL;
    if (!lines) return NULL;
    BehavioursReader *reader = memory_need(1, sizeof *reader);
    *reader = (BehavioursReader){.items = items, .reader = lines, .options = *options};
    return reader;
}

void behaviours_reader_close(BehavioursReader *reader) {
    if (!reader) return;
    line_reader_close(reader->reader);
    free(reader);
}

bool behaviours_reader_next(BehavioursReader *reader, size_t most, Behaviours *behaviours, Error *error) {
    start_behaviours(reader, behaviours, &reader->options);
    if (read_lines(reader, most, error) &&
        number_all_items(behaviours, name_table_count(reader->items), error))
        return true;
    behaviours_free(behaviours);
    return false;
}

void behaviours_free(Behaviours *behaviours) {
    free(behaviours->offsets);
    free(behaviours->sequences);
    free(behaviours->item_rows);
    free(behaviours->item_numbers);
    free(behaviours->user_names);
    free(behaviours->source);
    name_table_destroy(behaviours->names);
    json_decref(behaviours->content);
    *behaviours = (Behaviours){0};
}

const char *behaviours_user_name(const Behaviours *behaviours, size_t user, size_t *size) {
    return name_table_name(behaviours->names, behaviours->user_names[user], size);
}

/* Appends to a text that may be full. */
static void __attribute__((format(printf, 4, 5)))
append(char *text, size_t size, size_t *used, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    const int wanted = vsnprintf(text + *used, size - *used, format, arguments);
    va_end(arguments);
    *used += (size_t)wanted < size - *used ? (size_t)wanted : size - *used - 1;
}

void behaviours_describe(const Behaviours *behaviours, char *text, size_t size) {
    const BehavioursCounts *counts = &behaviours->counts;
    size_t used = 0;
    append(text, size, &used, "%s: kept %" PRIu32 " of %" PRIu64 " users", behaviours->source,
           behaviours->user_count, counts->users_read);
    if (counts->users_short)
        append(text, size, &used, " (%" PRIu64 " with fewer than %" PRIu32 " interactions)",
               counts->users_short, behaviours->options.min_seq_len);
    append(text, size, &used, ", %zu of %" PRIu64 " interactions",
           behaviours->offsets[behaviours->user_count], counts->interactions_read);
    const char *separator = " (";
    const struct {
        uint64_t count;
        const char *what;
    } dropped[] = {{counts->interactions_unknown, "of unknown items"},
                   {counts->interactions_short, "of dropped users"},
                   {counts->interactions_old, "older than what max-seq-len needs"}};
    for (size_t i = 0; i < sizeof dropped / sizeof *dropped; i++) {
        if (!dropped[i].count) continue;
        append(text, size, &used, "%s%" PRIu64 " %s", separator, dropped[i].count, dropped[i].what);
        separator = ", ";
    }
    append(text, size, &used, "%s, %" PRIu32 " of %" PRIu32 " items", *separator == ',' ? ")" : "",
           behaviours->item_count, behaviours->known_count);
}

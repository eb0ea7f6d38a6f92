#include "data/catalogue.h"

#include "core/utf8.h"
#include "stream/record.h"

#include <inttypes.h>
#include <string.h>

/* Every line holds an item, so item number n stands on line n + 1. */

static bool refuse(const LineReader *reader, const Line *line, const char *problem, Error *error) {
    return error_set(error, "%s:%" PRIu64 ": %s", line_reader_name(reader), line->number, problem);
}

bool catalogue_split_line(const LineReader *reader, const Line *line, CatalogueLine *parsed, Error *error) {
    const char *tab = memchr(line->bytes, '\t', line->size);
    if (line_names_columns(line))
        return refuse(reader, line,
                      "a header line; the file has none, every line is an item: take it out (tail -n +2)",
                      error);
    if (!line->size) return refuse(reader, line, "empty line; a line is: item TAB text", error);
    if (!tab) return refuse(reader, line, "no TAB; a line is: item TAB text", error);
    const size_t name_size = (size_t)(tab - line->bytes);
    *parsed = (CatalogueLine){line->bytes, tab + 1, name_size, line->size - name_size - 1};
    if (!name_size) return refuse(reader, line, "no item name before the TAB", error);
    if (name_size > RECORD_MAX_KEY) return refuse(reader, line, "the item name is longer than 64 KiB", error);
    if (memchr(line->bytes, ' ', name_size))
        return refuse(reader, line, "a space in the item name; users.tsv could not name this item", error);
    if (memchr(parsed->text, '\t', parsed->text_size))
        return refuse(reader, line, "a second TAB; a text holds none (write a space)", error);
    return true;
}

bool catalogue_parse_line(const LineReader *reader, const Line *line, CatalogueLine *parsed, Error *error) {
    if (!catalogue_split_line(reader, line, parsed, error)) return false;
    const size_t valid = utf8_valid_prefix(parsed->text, parsed->text_size);
    if (valid == parsed->text_size) return true;
    return error_set(error,
                     "%s:%" PRIu64 ":%zu: the text is not UTF-8 at byte %zu of the line (from 0): 0x%02X",
                     line_reader_name(reader), line->number, parsed->name_size + 1 + valid,
                     parsed->name_size + 1 + valid, (unsigned char)parsed->text[valid]);
}

bool catalogue_add_name(NameTable *names, const LineReader *reader, const Line *line,
                        const CatalogueLine *parsed, Error *error) {
    bool added;
    const size_t number = name_table_add(names, parsed->name, parsed->name_size, &added);
    if (added) return true;
    return error_set(error, "%s:%" PRIu64 ": item %s stands on line %zu already", line_reader_name(reader),
                     line->number, name_table_name(names, number, NULL), number + 1);
}

static bool read_names(NameTable *names, LineReader *reader, Error *error) {
    Line line;
    CatalogueLine parsed;
    int status;
    while ((status = line_reader_next(reader, &line, error)) > 0)
        if (!catalogue_parse_line(reader, &line, &parsed, error) ||
            !catalogue_add_name(names, reader, &line, &parsed, error))
            return false;
    if (status < 0) return false;
    return name_table_count(names) > 0 ||
           error_set(error, "%s: no items; a line is: item TAB text", line_reader_name(reader));
}

bool catalogue_read(Catalogue *catalogue, const char *path, Error *error) {
    LineReader *reader = line_reader_open(path, error);
    if (!reader) return false;
    *catalogue = (Catalogue){.names = name_table_create()};
    const bool fine = read_names(catalogue->names, reader, error);
    if (fine)
        catalogue->content = line_reader_content(reader);
    else
        catalogue_free(catalogue);
    line_reader_close(reader);
    return fine;
}

void catalogue_free(Catalogue *catalogue) {
    name_table_destroy(catalogue->names);
    json_decref(catalogue->content);
    *catalogue = (Catalogue){0};
}

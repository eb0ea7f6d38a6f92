/* items.tsv: item TAB text, one line an item (formats/texts.md). */
#ifndef DATA_CATALOGUE_H
#define DATA_CATALOGUE_H

#include "core/name_table.h"
#include "data/lines.h"

typedef struct CatalogueLine {
    const char *name, *text;
    size_t name_size, text_size;
} CatalogueLine;

/* Splits a line of items.tsv at its first TAB and checks it: a name that is not empty and holds no space, a
 * text without a TAB. A message names file and line. */
bool catalogue_split_line(const LineReader *reader, const Line *line, CatalogueLine *parsed, Error *error);

/* As catalogue_split_line, and refuses a text that is not UTF-8: the message names file, line and byte. */
bool catalogue_parse_line(const LineReader *reader, const Line *line, CatalogueLine *parsed, Error *error);

/* Item names in the order of the file, without the texts. An item that stands twice is an error that names
 * both lines; an empty file is an error. */
typedef struct Catalogue {
    NameTable *names;
    json_t *content; /* for provenance */
} Catalogue;
bool catalogue_read(Catalogue *catalogue, const char *path, Error *error);
void catalogue_free(Catalogue *catalogue);

/* Adds the item of a line to the names of the lines before it; one that stands twice is an error that names
 * both lines. */
bool catalogue_add_name(NameTable *names, const LineReader *reader, const Line *line,
                        const CatalogueLine *parsed, Error *error);

#endif

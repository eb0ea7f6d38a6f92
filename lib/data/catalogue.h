/* items.tsv: item TAB text, one line an item (formats/texts.md). */
#ifndef DATA_CATALOGUE_H
#define DATA_CATALOGUE_H

#include "core/name_table.h"
#include "data/lines.h"

/* Splits a line of items.tsv at its first TAB and checks it: a name that is not empty and holds no space, a
 * text in UTF-8 without a TAB. A message names file, line and byte. */
typedef struct CatalogueLine {
    const char *name, *text;
    size_t name_size, text_size;
} CatalogueLine;
bool catalogue_parse_line(const LineReader *reader, const Line *line, CatalogueLine *parsed, Error *error);

/* Item names in the order of the file, without the texts. An item that stands twice is an error that names
 * both lines; an empty file is an error. */
typedef struct Catalogue {
    NameTable *names;
    json_t *content; /* for provenance */
} Catalogue;
bool catalogue_read(Catalogue *catalogue, const char *path, Error *error);
void catalogue_free(Catalogue *catalogue);

#endif

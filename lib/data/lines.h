/* Text files line by line: a line ends at LF and only there. A byte order mark at the start is passed over;
 * when the first line ends in CR LF, so do all, and the CR is no part of them. gzip and zstd are read, too.
 */
#ifndef DATA_LINES_H
#define DATA_LINES_H

#include "core/error.h"

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

typedef struct LineReader LineReader;

typedef struct Line {
    const char *bytes; /* without the line end, NUL behind them; valid until the next line is read */
    size_t size;
    uint64_t number; /* from 1 */
} Line;

/* "-" or NULL is standard input. */
LineReader *line_reader_open(const char *path, Error *error);
void line_reader_close(LineReader *reader);
const char *line_reader_name(const LineReader *reader);

/* 1: a line was read; 0: the file ended; −1: error (a line over 64 MiB is one). */
int line_reader_next(LineReader *reader, Line *line, Error *error);

/* Whether it is a file's first line and says what its columns are: "item_id TAB title", "user_id TAB items".
 */
bool line_names_columns(const Line *line);

/* After the end: the content hash of all bytes of the text, for provenance. A new reference. */
json_t *line_reader_content(const LineReader *reader);

#endif

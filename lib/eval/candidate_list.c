#include "eval/candidate_list.h"

#include "core/memory.h"
#include "data/lines.h"

#include <inttypes.h>
#include <string.h>

static bool mark_line(const NameTable *names, const LineReader *reader, const Line *line, bool *marks,
                      Error *error) {
    const char *tab = memchr(line->bytes, '\t', line->size);
    const size_t size = tab ? (size_t)(tab - line->bytes) : line->size;
    const size_t found = name_table_find(names, line->bytes, size);
    if (found == SIZE_MAX)
        return error_set(error, "%s:%" PRIu64 ": \"%.*s\" is none of the %zu known items",
                         line_reader_name(reader), line->number, (int)size, line->bytes,
                         name_table_count(names));
    marks[found] = true;
    return true;
}

/* Marks what the file names. */
static bool mark(const NameTable *names, const char *path, bool *marks, Error *error) {
    Line line;
    LineReader *reader = line_reader_open(path, error);
    if (!reader) return false;
    int got;
    bool fine = true;
    while (fine && (got = line_reader_next(reader, &line, error)) != 0)
        fine = got > 0 && mark_line(names, reader, &line, marks, error);
    line_reader_close(reader);
    return fine;
}

uint32_t *candidate_list(const NameTable *names, const char *only, const char *without, size_t *count,
                         Error *error) {
    const size_t known = name_table_count(names);
    bool *wanted = memory_need(known, sizeof *wanted), *unwanted = memory_need(known, sizeof *unwanted);
    uint32_t *items = NULL;
    *count = 0;
    if ((!only || mark(names, only, wanted, error)) && (!without || mark(names, without, unwanted, error)) &&
        (items = memory_allocate(known, sizeof *items, error)))
        for (size_t i = 0; i < known; i++)
            if ((!only || wanted[i]) && !unwanted[i]) items[(*count)++] = (uint32_t)i + 1;
    free(wanted);
    free(unwanted);
    if (items && !*count) {
        error_set(error, "none of the %zu items is left to recommend", known);
        free(items);
        items = NULL;
    }
    return items;
}

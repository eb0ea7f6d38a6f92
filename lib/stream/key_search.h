/* Records by patterns of their keys. */
#ifndef STREAM_KEY_SEARCH_H
#define STREAM_KEY_SEARCH_H

#include "stream/reader.h"

/* Whether the record's key matches one of the shell's patterns, which commas separate. NULL: it does. */
bool key_matches(const char *globs, const Record *record);

typedef struct KeySearch {
    bool by_index;     /* else every record must be looked at */
    uint64_t *numbers; /* of the records that may match, ascending; to be freed */
    size_t count;
} KeySearch;

/* Asks the index, where there is one and the patterns are plain keys. */
bool key_search(KeySearch *search, const StreamReader *reader, const char *globs, Error *error);

#endif

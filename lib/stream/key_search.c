#include "stream/key_search.h"

#include "core/memory.h"

#include <fnmatch.h>
#include <string.h>

bool key_matches(const char *globs, const Record *record) {
    if (!globs) return true;
    if (strlen(record->key) != record->key_size) return false; /* a NUL in it */
    char *list = memory_copy_text(globs, strlen(globs)), *rest = list, *glob;
    bool matches = false;
    while (!matches && (glob = strsep(&rest, ",")))
        matches = !fnmatch(glob, record->key, FNM_EXTMATCH);
    free(list);
    return matches;
}

static int compare_numbers(const void *one, const void *two) {
    const uint64_t a = *(const uint64_t *)one, b = *(const uint64_t *)two;
    return a < b ? -1 : a > b;
}

static void sort_and_unite(KeySearch *search) {
    size_t kept = 0;
    qsort(search->numbers, search->count, sizeof *search->numbers, compare_numbers);
    for (size_t i = 0; i < search->count; i++)
        if (!kept || search->numbers[kept - 1] != search->numbers[i])
            search->numbers[kept++] = search->numbers[i];
    search->count = kept;
}

/* A key that comes so often is not looked for, but met. */
enum { ROOM = 64 };

static bool find_key(KeySearch *search, const StreamIndex *index, const char *key, size_t *capacity,
                     Error *error) {
    size_t count;
    search->numbers = memory_grow(search->numbers, capacity, search->count + ROOM, sizeof *search->numbers);
    if (!stream_index_find(index, key, strlen(key), search->numbers + search->count, ROOM, &count, error))
        return false;
    search->count += count;
    search->by_index = search->by_index && count < ROOM;
    return true;
}

bool key_search(KeySearch *search, const StreamReader *reader, const char *globs, Error *error) {
    const StreamIndex *index = stream_reader_index(reader);
    *search = (KeySearch){0};
    if (!globs || !index || strpbrk(globs, "*?[]\\()|") || !stream_index_has_keys(index)) return true;
    char *list = memory_copy_text(globs, strlen(globs)), *rest = list, *key;
    size_t capacity = 0;
    bool fine = true;
    search->by_index = true;
    while (fine && (key = strsep(&rest, ",")))
        fine = find_key(search, index, key, &capacity, error) ||
               error_prefix(error, "%s: ", stream_reader_name(reader));
    free(list);
    if (fine)
        sort_and_unite(search);
    else
        free(search->numbers);
    return fine;
}

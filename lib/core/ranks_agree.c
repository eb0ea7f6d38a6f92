#include "core/ranks_agree.h"

#include "core/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

/* Of the program's file; 0 when it cannot be read. */
static XXH64_hash_t hash_program(void) {
    enum { BLOCK = 1 << 16 };
    XXH64_hash_t hash = 0;
    FILE *file = fopen("/proc/self/exe", "re");
    if (!file) return 0;
    char *block = memory_need(BLOCK, 1);
    for (size_t size; (size = fread(block, 1, BLOCK, file)) > 0;)
        hash = XXH64(block, size, hash);
    free(block);
    fclose(file);
    return hash;
}

/* One that does not agree never comes here, and ends those that wait. */
static bool wait_for_all(const Ranks *ranks) {
    ranks_any(ranks, false);
    return true;
}

bool ranks_agree_on_program(const Ranks *ranks, Error *error) {
    const XXH64_hash_t own = hash_program();
    XXH64_hash_t first = own;
    ranks_broadcast(ranks, sizeof first, &first);
    if (first == own) return wait_for_all(ranks);
    return error_set(error, "the program is not rank 0's; all ranks need the same build of it");
}

/* Rank 0's values, on all. */
static json_t *first_values(const Ranks *ranks, const json_t *own) {
    char *text = json_dumps(own, JSON_COMPACT | JSON_SORT_KEYS);
    size_t size = strlen(text);
    ranks_broadcast(ranks, sizeof size, &size);
    char *first = memory_need(size + 1, 1);
    if (ranks_writes(ranks)) memcpy(first, text, size);
    ranks_broadcast(ranks, size, first);
    json_t *parsed = json_loads(first, 0, NULL);
    free(text);
    free(first);
    return parsed;
}

bool ranks_agree(const Ranks *ranks, const json_t *own, Error *error) {
    if (ranks->count == 1) return true;
    const char *key, *other = NULL;
    json_t *first = first_values(ranks, own), *value;
    json_object_foreach((json_t *)own, key, value) {
        if (!other && !json_equal(value, json_object_get(first, key))) other = key;
    }
    json_object_foreach(first, key, value) {
        if (!other && !json_object_get(own, key)) other = key;
    }
    const bool agree =
        !other || error_set(error,
                            "--%s is not rank 0's; all ranks need the same command over the same "
                            "files",
                            other);
    json_decref(first);
    return agree && wait_for_all(ranks);
}

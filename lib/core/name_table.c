#include "core/name_table.h"

#include "core/arena.h"
#include "core/memory.h"

#include <string.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

typedef struct Name {
    const char *bytes;
    size_t size;
} Name;

struct NameTable {
    Arena *text;
    Name *names;
    size_t count, capacity;
    size_t *slots; /* 1 + the number of a name, or 0; linear probing */
    size_t slot_count;
};

enum { FIRST_SLOTS = 64 };

NameTable *name_table_create(void) {
    NameTable *table = memory_need(1, sizeof *table);
    table->text = arena_create();
    table->slot_count = FIRST_SLOTS;
    table->slots = memory_need(FIRST_SLOTS, sizeof *table->slots);
    return table;
}

void name_table_destroy(NameTable *table) {
    if (!table) return;
    arena_destroy(table->text);
    free(table->names);
    free(table->slots);
    free(table);
}

size_t name_table_count(const NameTable *table) {
    return table->count;
}

/* The slot that holds the name, or the free one where it belongs. */
static size_t *find_slot(const NameTable *table, const char *name, size_t size) {
    size_t at = (size_t)XXH3_64bits(name, size) & (table->slot_count - 1);
    for (;; at = (at + 1) & (table->slot_count - 1)) {
        const size_t slot = table->slots[at];
        if (!slot) break;
        const Name *candidate = &table->names[slot - 1];
        if (candidate->size == size && !memcmp(candidate->bytes, name, size)) break;
    }
    return &table->slots[at];
}

static void rehash(NameTable *table) {
    table->slot_count *= 2;
    free(table->slots);
    table->slots = memory_need(table->slot_count, sizeof *table->slots);
    for (size_t i = 0; i < table->count; i++)
        *find_slot(table, table->names[i].bytes, table->names[i].size) = i + 1;
}

size_t name_table_add(NameTable *table, const char *name, size_t size, bool *added) {
    size_t *slot = find_slot(table, name, size);
    if (added) *added = !*slot;
    if (*slot) return *slot - 1;
    char *copy = arena_take(table->text, size + 1, 1);
    memcpy(copy, name, size);
    copy[size] = 0;
    table->names = memory_grow(table->names, &table->capacity, table->count + 1, sizeof *table->names);
    table->names[table->count] = (Name){copy, size};
    *slot = ++table->count;
    const size_t number = table->count - 1;
    if (2 * table->count > table->slot_count) rehash(table);
    return number;
}

size_t name_table_find(const NameTable *table, const char *name, size_t size) {
    return *find_slot(table, name, size) - 1; /* 0 − 1 is SIZE_MAX */
}

const char *name_table_name(const NameTable *table, size_t number, size_t *size) {
    if (size) *size = table->names[number].size;
    return table->names[number].bytes;
}

#include "core/name_table.h"

#include "core/cleanup.h"
#include "core/log.h"
#include "core/memory.h"

#include <string.h>
#include <sys/random.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

enum { FIRST_SLOTS = 64, BLOCK_BITS = 20, LONGEST_LENGTH = 10 };

#define BLOCK_BYTES ((size_t)1 << BLOCK_BITS)

/* Half of the hash finds the slot, and tells most names apart without a look at them. */
typedef struct Slot {
    uint32_t next; /* 1 + the number of a name, or 0 */
    uint32_t hash;
} Slot;

/* A name is packed as its length (7 bits a byte, the low ones first, the last without its top bit), its bytes
 * and a NUL, in blocks that never move. */
struct NameTable {
    char **blocks;     /* of BLOCK_BYTES; a larger one is followed by NULL for each that it covers */
    uint64_t *offsets; /* of the names, counted over all blocks */
    size_t block_count, block_capacity, offset_capacity;
    uint64_t used, end; /* bytes of all blocks: taken, and there */
    size_t count;
    Slot *slots; /* linear probing */
    size_t slot_count;
    uint64_t seed; /* nobody can make up names that fall into one slot */
};

NameTable *name_table_create(void) {
    NameTable *table = memory_need(1, sizeof *table);
    if (getrandom(&table->seed, sizeof table->seed, 0) < 0) table->seed = (uint64_t)(uintptr_t)table;
    table->slot_count = FIRST_SLOTS;
    table->slots = memory_need(FIRST_SLOTS, sizeof *table->slots);
    return table;
}

void name_table_destroy(NameTable *table) {
    if (!table) return;
    for (size_t i = 0; i < table->block_count; i++)
        free(table->blocks[i]);
    free(table->blocks);
    free(table->offsets);
    free(table->slots);
    free(table);
}

size_t name_table_count(const NameTable *table) {
    return table->count;
}

static size_t put_length(unsigned char bytes[LONGEST_LENGTH], size_t length) {
    size_t used = 0;
    for (; length >= 0x80; length >>= 7)
        bytes[used++] = (unsigned char)(length | 0x80);
    bytes[used++] = (unsigned char)length;
    return used;
}

const char *name_table_name(const NameTable *table, size_t number, size_t *size) {
    const uint64_t offset = table->offsets[number];
    const char *at = table->blocks[offset >> BLOCK_BITS] + (offset & (BLOCK_BYTES - 1));
    size_t length = 0;
    for (int shift = 0;; shift += 7) {
        const unsigned char byte = (unsigned char)*at++;
        length |= (size_t)(byte & 0x7f) << shift;
        if (byte < 0x80) break;
    }
    if (size) *size = length;
    return at;
}

/* The slot that holds the name, or the free one where it belongs. */
static Slot *find_slot(const NameTable *table, const char *name, size_t size, uint32_t hash) {
    const size_t mask = table->slot_count - 1;
    for (size_t at = hash & mask;; at = (at + 1) & mask) {
        Slot *slot = &table->slots[at];
        if (!slot->next) return slot;
        if (slot->hash != hash) continue;
        size_t length;
        const char *known = name_table_name(table, slot->next - 1, &length);
        if (length == size && !memcmp(known, name, size)) return slot;
    }
}

static uint32_t hash_name(const NameTable *table, const char *name, size_t size) {
    return (uint32_t)XXH3_64bits_withSeed(name, size, table->seed);
}

static void double_slots(NameTable *table) {
    Slot *before = table->slots;
    const size_t count = table->slot_count;
    table->slot_count *= 2;
    table->slots = memory_need(table->slot_count, sizeof *table->slots);
    for (size_t i = 0; i < count; i++) {
        if (!before[i].next) continue;
        size_t at = before[i].hash & (table->slot_count - 1);
        while (table->slots[at].next)
            at = (at + 1) & (table->slot_count - 1);
        table->slots[at] = before[i];
    }
    free(before);
}

/* Room for `size` bytes in one block. */
static void make_room(NameTable *table, size_t size) {
    if (table->used + size <= table->end) return;
    const size_t blocks = (size - 1) / BLOCK_BYTES + 1;
    table->blocks = memory_grow(table->blocks, &table->block_capacity, table->block_count + blocks,
                                sizeof *table->blocks);
    memset(table->blocks + table->block_count, 0, blocks * sizeof *table->blocks);
    table->blocks[table->block_count] = memory_need(blocks, BLOCK_BYTES);
    table->block_count += blocks;
    table->used = table->end;
    table->end += blocks * BLOCK_BYTES;
}

static void pack_name(NameTable *table, const char *name, size_t size) {
    unsigned char length[LONGEST_LENGTH];
    const size_t length_size = put_length(length, size);
    make_room(table, length_size + size + 1);
    char *to = table->blocks[table->used >> BLOCK_BITS] + (table->used & (BLOCK_BYTES - 1));
    memcpy(to, length, length_size);
    if (size) memcpy(to + length_size, name, size);
    to[length_size + size] = 0;
    table->offsets =
        memory_grow(table->offsets, &table->offset_capacity, table->count + 1, sizeof *table->offsets);
    table->offsets[table->count] = table->used;
    table->used += length_size + size + 1;
    if (length_size + size + 1 > BLOCK_BYTES)
        table->used = table->end; /* nothing else begins in such a block */
}

size_t name_table_add(NameTable *table, const char *name, size_t size, bool *added) {
    const uint32_t hash = hash_name(table, name, size);
    Slot *slot = find_slot(table, name, size, hash);
    if (added) *added = !slot->next;
    if (slot->next) return slot->next - 1;
    if (table->count == UINT32_MAX - 1) {
        log_error("more names than can be numbered");
        cleanup_and_fail();
    }
    pack_name(table, name, size);
    *slot = (Slot){(uint32_t)++table->count, hash};
    if (table->count > table->slot_count / 4 * 3) double_slots(table);
    return table->count - 1;
}

/* Frees a slot: what would not be found behind the gap moves into it. */
static void free_slot(NameTable *table, Slot *slot) {
    const size_t mask = table->slot_count - 1;
    size_t gap = (size_t)(slot - table->slots);
    for (size_t at = (gap + 1) & mask; table->slots[at].next; at = (at + 1) & mask) {
        const size_t begin = table->slots[at].hash & mask; /* of its probing */
        if (((at - begin) & mask) < ((at - gap) & mask)) continue;
        table->slots[gap] = table->slots[at];
        gap = at;
    }
    table->slots[gap] = (Slot){0};
}

void name_table_cut(NameTable *table, size_t count) {
    while (table->count > count) {
        size_t size;
        const char *name = name_table_name(table, table->count - 1, &size);
        free_slot(table, find_slot(table, name, size, hash_name(table, name, size)));
        table->count--;
    }
}

size_t name_table_find(const NameTable *table, const char *name, size_t size) {
    return (size_t)find_slot(table, name, size, hash_name(table, name, size))->next -
           1; /* 0 − 1 is SIZE_MAX */
}

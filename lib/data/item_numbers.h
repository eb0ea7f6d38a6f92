/* Which items a store has: numbered from 0 in its order, under names in a table that stores may share, so
 * that a name is in memory once. */
#ifndef DATA_ITEM_NUMBERS_H
#define DATA_ITEM_NUMBERS_H

#include "core/name_table.h"

typedef struct ItemNumbers {
    NameTable *names; /* of all stores that share it, those of the first first */
    bool is_own;      /* and goes with it */
    size_t count;     /* of the items */
    size_t before;    /* names that were there already; none: item i has the name i */
    uint32_t *items;  /* [named]: by number of the name 1 + the item, or 0; NULL while `before` is 0 */
    size_t named, capacity;
} ItemNumbers;

/* No item yet. `names` is shared and stays the caller's; NULL makes one. To be given to item_numbers_free. */
ItemNumbers item_numbers_start(NameTable *names);
void item_numbers_free(ItemNumbers *numbers); /* {0} is allowed */

/* Adds an item; false when the store has one of this name already, which is item *item. */
bool item_numbers_add(ItemNumbers *numbers, const char *name, size_t size, size_t *item);

/* As if nothing had been added. Other stores must not have been begun meanwhile. */
void item_numbers_forget(ItemNumbers *numbers);

/* Takes the names that are new with this store out of a shared table, where nobody asks for them; the items
 * stay. Other stores must not have been begun meanwhile. */
void item_numbers_cut(ItemNumbers *numbers);

/* The item whose name has this number in the table, or SIZE_MAX. */
size_t item_numbers_find(const ItemNumbers *numbers, size_t name);

/* The item of this name, or SIZE_MAX. */
size_t item_numbers_find_name(const ItemNumbers *numbers, const char *name, size_t size);

/* [count]: the number of each item's name in the table, to be freed. */
uint32_t *item_numbers_names(const ItemNumbers *numbers);

/* An item's name, for messages: it may be searched for. */
const char *item_numbers_name(const ItemNumbers *numbers, size_t item);

#endif

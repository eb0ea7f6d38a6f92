/* Names (any bytes) numbered from 0 in the order in which they were added, and found by a hash. They are
 * packed: a name takes about 25 bytes beside its own. */
#ifndef CORE_NAME_TABLE_H
#define CORE_NAME_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct NameTable NameTable;

NameTable *name_table_create(void);
void name_table_destroy(NameTable *table);

size_t name_table_count(const NameTable *table);

/* The number of a name, added if it was not there; *added (may be NULL) says which. */
size_t name_table_add(NameTable *table, const char *name, size_t size, bool *added);

/* SIZE_MAX when there is none. */
size_t name_table_find(const NameTable *table, const char *name, size_t size);

/* Takes out all names but the first `count`. */
void name_table_cut(NameTable *table, size_t count);

/* The name with this number, NUL behind it; valid until the table is destroyed. */
const char *name_table_name(const NameTable *table, size_t number, size_t *size);

#endif

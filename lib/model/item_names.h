/* The names of an ID tower's items, kept in the model as one tensor of bytes: id_encoder.names, a name a line
 * in the order of the table's rows from 1. */
#ifndef MODEL_ITEM_NAMES_H
#define MODEL_ITEM_NAMES_H

#include "data/item_numbers.h"
#include "nn/parameters.h"

#define ITEM_NAMES_TENSOR "id_encoder.names"
#define ITEM_TABLE_TENSOR "id_encoder.weight"
#define ITEM_TENSORS "id_encoder."

/* Keeps `count` names as a passenger; name(context, i) gives the one of row i + 1. */
typedef const char *(*ItemName)(const void *context, size_t i, size_t *size);
void item_names_keep(ParameterSet *set, size_t count, ItemName name, const void *context);

/* An ID tower's table among the passengers, float [items + 1, dim], row 0 the padding item's, and its items,
 * of row 1 the first: under `names`, which stay the caller's and of which alone they are looked for, or,
 * where it is NULL, names of their own. `items` is to be given to item_numbers_free; NULL with a message when
 * table or names are not as they should be. */
const Passenger *item_table_read(const ParameterSet *set, size_t dim, NameTable *names, ItemNumbers *items,
                                 Error *error);

#endif

/* The names of an ID tower's items, kept in the model as one tensor of bytes: id_encoder.names, a name a line
 * in the order of the table's rows from 1. */
#ifndef MODEL_ITEM_NAMES_H
#define MODEL_ITEM_NAMES_H

#include "nn/parameters.h"

#define ITEM_NAMES_TENSOR "id_encoder.names"
#define ITEM_TABLE_TENSOR "id_encoder.weight"
#define ITEM_TENSORS "id_encoder."

/* Keeps `count` names as a passenger; name(context, i) gives the one of row i + 1. */
typedef const char *(*ItemName)(const void *context, size_t i, size_t *size);
void item_names_keep(ParameterSet *set, size_t count, ItemName name, const void *context);

/* The passenger's names in their order; NULL with a message when it is missing, malformed, or holds one
 * twice. */
NameTable *item_names_read(const ParameterSet *set, Error *error);

/* An ID tower's table among the passengers, float [items + 1, dim], row 0 the padding item's, and its items'
 * names (*names, the caller's); NULL with a message when it is not as it should be. */
const Passenger *item_table_read(const ParameterSet *set, size_t dim, NameTable **names, Error *error);

#endif

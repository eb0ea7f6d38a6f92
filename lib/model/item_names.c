#include "model/item_names.h"

#include "core/memory.h"

#include <string.h>

void item_names_keep(ParameterSet *set, size_t count, ItemName name, const void *context) {
    char *text = NULL;
    size_t used = 0, capacity = 0;
    for (size_t i = 0; i < count; i++) {
        size_t size;
        const char *bytes = name(context, i, &size);
        text = memory_grow(text, &capacity, used + size + 1, 1);
        memcpy(text + used, bytes, size);
        used += size;
        text[used++] = '\n';
    }
    const RecordTensor tensor = record_tensor("value", DTYPE_U8, text, 1, (uint64_t)used);
    parameter_set_keep_passenger(set, ITEM_NAMES_TENSOR, strlen(ITEM_NAMES_TENSOR), &tensor);
    free(text);
}

/* The passenger's names in their order; one that comes twice is malformed. */
static bool read_names(const ParameterSet *set, ItemNumbers *items, Error *error) {
    const Passenger *passenger = parameter_set_passenger(set, ITEM_NAMES_TENSOR);
    if (!passenger || passenger->dtype != DTYPE_U8 || passenger->dimensions != 1)
        return error_set(error,
                         "the model does not name the items of its ID tower (tensor " ITEM_NAMES_TENSOR ")");
    const char *at = passenger->data, *end = at + passenger->shape[0];
    while (at < end) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        size_t item;
        if (!newline || newline == at || !item_numbers_add(items, at, (size_t)(newline - at), &item))
            return error_set(
                error, "the item names of the model's ID tower are malformed (tensor " ITEM_NAMES_TENSOR ")");
        at = newline + 1;
    }
    return true;
}

const Passenger *item_table_read(const ParameterSet *set, size_t dim, NameTable *names, ItemNumbers *items,
                                 Error *error) {
    const Passenger *table = parameter_set_passenger(set, ITEM_TABLE_TENSOR);
    *items = item_numbers_start(names);
    bool fine = read_names(set, items, error);
    item_numbers_cut(items);
    const size_t rows = items->count + 1;
    if (fine && !(table && dtype_is_float(table->dtype) && table->dimensions == 2 &&
                  table->shape[0] == rows && table->shape[1] == dim))
        fine = error_set(error, ITEM_TABLE_TENSOR " is no table of %zu items, vectors of %zu", rows - 1, dim);
    if (fine) return table;
    item_numbers_free(items);
    return NULL;
}

#include "arrays/pickle.h"

#include <string.h>

bool pickle_is_text(const PickleValue *value, const char *text) {
    return value && value->kind == PICKLE_STRING && value->text.size == strlen(text) &&
           !memcmp(value->text.bytes, text, value->text.size);
}

bool pickle_is_global(const PickleValue *value, const char *name) {
    return value && value->kind == PICKLE_GLOBAL && value->text.size == strlen(name) &&
           !memcmp(value->text.bytes, name, value->text.size);
}

/* The value whose items count: an object's are those that were set in it. */
static const PickleValue *container(const PickleValue *value) {
    if (value->kind == PICKLE_OBJECT) return &value->object->dict;
    const bool holds = value->kind == PICKLE_LIST || value->kind == PICKLE_TUPLE ||
                       value->kind == PICKLE_SET || value->kind == PICKLE_DICT;
    return holds ? value : NULL;
}

size_t pickle_count(const PickleValue *value) {
    const PickleValue *holder = container(value);
    return holder ? holder->items.count : 0;
}

const PickleValue *pickle_item(const PickleValue *value, size_t index) {
    return container(value)->items.values[index];
}

const PickleValue *pickle_get(const PickleValue *dict, const char *key) {
    if (dict->kind != PICKLE_DICT && dict->kind != PICKLE_OBJECT) return NULL;
    for (size_t i = pickle_count(dict); i >= 2; i -= 2)
        if (pickle_is_text(pickle_item(dict, i - 2), key)) return pickle_item(dict, i - 1);
    return NULL;
}

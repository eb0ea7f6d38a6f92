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

const char *pickle_describe(const PickleValue *value, char text[PICKLE_TEXT]) {
    static const char *const kinds[] = {
        "None",  "truth value", "whole number", "whole number",      "number",    "string", "bytes", "list",
        "tuple", "set",         "dict",         "class or function", "an object", "storage"};
    const PickleValue *named = value->kind == PICKLE_OBJECT ? value->object->callee : value;
    if (named->kind != PICKLE_GLOBAL) return strcpy(text, kinds[value->kind]);
    const size_t size = named->text.size < PICKLE_TEXT - 1 ? named->text.size : PICKLE_TEXT - 1;
    for (size_t i = 0; i < size; i++) {
        const unsigned char byte = (unsigned char)named->text.bytes[i];
        text[i] = byte > ' ' && byte < 0x7f ? (char)byte : '?';
    }
    text[size] = 0;
    return text;
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

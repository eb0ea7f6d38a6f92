#include "eval/item_lists.h"

#include <jansson.h>

static void put_lines(const ItemLists *lists, const char *key, size_t key_size, const TopK *top) {
    for (size_t i = 0; i < top->count; i++) {
        size_t size;
        const char *item = name_table_name(lists->names, top->best[i].item - 1, &size);
        fwrite(key, 1, key_size, lists->stream);
        fprintf(lists->stream, "\t%zu\t", i + 1);
        fwrite(item, 1, size, lists->stream);
        fprintf(lists->stream, "\t%.7g\n", (double)top->best[i].score);
    }
}

/* NULL when the name is no UTF-8. */
static json_t *name_json(const char *name, size_t size, Error *error) {
    json_t *text = json_stringn(name, size);
    if (!text)
        error_set(error, "the name \"%s\" is not UTF-8, as JSON needs it; without --json any will do", name);
    return text;
}

static bool add_items(json_t *array, const ItemLists *lists, const TopK *top, Error *error) {
    for (size_t i = 0; i < top->count; i++) {
        size_t size;
        const char *item = name_table_name(lists->names, top->best[i].item - 1, &size);
        json_t *name = name_json(item, size, error);
        if (!name) return false;
        json_array_append_new(
            array, json_pack("{s:o, s:f}", "item", name, lists->score_label, (double)top->best[i].score));
    }
    return true;
}

static bool put_json(const ItemLists *lists, const char *key, size_t key_size, const TopK *top,
                     Error *error) {
    json_t *object = json_object(), *array = json_array(), *name = name_json(key, key_size, error);
    if (name) json_object_set_new(object, lists->key_label, name);
    json_object_set_new(object, "items", array);
    const bool fine = name && add_items(array, lists, top, error);
    if (fine) {
        json_dumpf(object, lists->stream, JSON_REAL_PRECISION(7));
        putc('\n', lists->stream);
    }
    json_decref(object);
    return fine;
}

bool item_lists_put(const ItemLists *lists, const char *key, size_t key_size, const TopK *top, Error *error) {
    if (lists->json) return put_json(lists, key, key_size, top, error);
    put_lines(lists, key, key_size, top);
    return true;
}

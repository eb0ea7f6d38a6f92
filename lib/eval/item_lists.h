/* Ranked items as lines: key TAB rank TAB item TAB score, or a JSON object for each key. */
#ifndef EVAL_ITEM_LISTS_H
#define EVAL_ITEM_LISTS_H

#include "core/error.h"
#include "core/name_table.h"
#include "eval/top_k.h"

#include <stdio.h>

typedef struct ItemLists {
    FILE *stream;
    bool json;
    const char *key_label, *score_label; /* in JSON */
    const NameTable *names;              /* item number i is name i − 1 */
} ItemLists;

/* Writes the list of one key. In JSON names must be UTF-8. */
bool item_lists_put(const ItemLists *lists, const char *key, size_t key_size, const TopK *top, Error *error);

#endif

#include "data/item_numbers.h"

#include "core/memory.h"

ItemNumbers item_numbers_start(NameTable *names) {
    ItemNumbers numbers = {.names = names ? names : name_table_create(), .is_own = !names};
    numbers.before = name_table_count(numbers.names);
    if (!numbers.before) return numbers;
    numbers.named = numbers.capacity = numbers.before;
    numbers.items = memory_need(numbers.named, sizeof *numbers.items);
    return numbers;
}

void item_numbers_free(ItemNumbers *numbers) {
    if (numbers->is_own) name_table_destroy(numbers->names);
    free(numbers->items);
    *numbers = (ItemNumbers){0};
}

/* Where item numbers are not those of the names. */
static bool add_shared(ItemNumbers *numbers, size_t name, bool added, size_t *item) {
    if (added) {
        numbers->items =
            memory_grow(numbers->items, &numbers->capacity, ++numbers->named, sizeof *numbers->items);
        numbers->items[name] = 0;
    }
    const bool is_new = !numbers->items[name];
    *item = is_new ? numbers->count : numbers->items[name] - 1;
    if (is_new) numbers->items[name] = (uint32_t)++numbers->count;
    return is_new;
}

bool item_numbers_add(ItemNumbers *numbers, const char *name, size_t size, size_t *item) {
    bool added;
    const size_t number = name_table_add(numbers->names, name, size, &added);
    if (numbers->items) return add_shared(numbers, number, added, item);
    *item = number;
    numbers->count += added;
    return added;
}

void item_numbers_forget(ItemNumbers *numbers) {
    name_table_cut(numbers->names, numbers->before);
    numbers->count = 0;
    numbers->named = numbers->before;
    for (size_t i = 0; i < numbers->named; i++)
        numbers->items[i] = 0;
}

void item_numbers_cut(ItemNumbers *numbers) {
    if (numbers->is_own) return;
    name_table_cut(numbers->names, numbers->before);
    numbers->named = numbers->before;
}

size_t item_numbers_find(const ItemNumbers *numbers, size_t name) {
    if (!numbers->items) return name < numbers->count ? name : SIZE_MAX;
    return name < numbers->named ? (size_t)numbers->items[name] - 1 : SIZE_MAX; /* 0 − 1 is SIZE_MAX */
}

size_t item_numbers_find_name(const ItemNumbers *numbers, const char *name, size_t size) {
    return item_numbers_find(numbers, name_table_find(numbers->names, name, size));
}

uint32_t *item_numbers_names(const ItemNumbers *numbers) {
    uint32_t *names = memory_need(numbers->count, sizeof *names);
    const size_t end = name_table_count(numbers->names);
    for (size_t name = 0; name < end; name++) {
        const size_t item = item_numbers_find(numbers, name);
        if (item != SIZE_MAX) names[item] = (uint32_t)name;
    }
    return names;
}

const char *item_numbers_name(const ItemNumbers *numbers, size_t item) {
    size_t name = 0;
    while (item_numbers_find(numbers, name) != item)
        name++;
    return name_table_name(numbers->names, name, NULL);
}

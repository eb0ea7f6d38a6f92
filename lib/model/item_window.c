#include "model/item_window.h"

#include "core/memory.h"

#include <stdio.h>

void *item_window_add_rows(ItemWindow *window, size_t number, size_t rows) {
    WindowSide *side = &window->sides[number];
    const size_t size = side->width * sizeof(float);
    side->values = memory_grow(side->values, &side->capacity, side->rows + rows, size);
    void *to = (char *)side->values + side->rows * size;
    side->offsets[window->items] = side->rows;
    side->rows += rows;
    side->offsets[window->items + 1] = side->rows;
    return to;
}

void item_window_add(ItemWindow *window, const char *key, size_t key_size) {
    window->keys[window->items] = memory_copy_text(key, key_size);
    window->key_sizes[window->items++] = key_size;
}

Segments item_window_segments(const ItemWindow *window, size_t side) {
    return (Segments){window->items, window->sides[side].offsets};
}

void item_window_clear(ItemWindow *window) {
    for (size_t i = 0; i < window->items; i++)
        free(window->keys[i]);
    window->items = 0;
    for (size_t side = 0; side < WINDOW_SIDES; side++)
        window->sides[side].rows = 0;
}

void item_window_free(ItemWindow *window) {
    item_window_clear(window);
    for (size_t side = 0; side < WINDOW_SIDES; side++)
        free(window->sides[side].values);
}

void item_window_describe(const ItemWindow *window, size_t item, char text[WINDOW_ITEM_TEXT]) {
    snprintf(text, WINDOW_ITEM_TEXT, "item '%.*s'",
             window->key_sizes[item] < 64 ? (int)window->key_sizes[item] : 64, window->keys[item]);
}

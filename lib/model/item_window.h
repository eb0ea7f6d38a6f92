/* Items that wait to be computed together: their keys, and their rows in one input or two. */
#ifndef MODEL_ITEM_WINDOW_H
#define MODEL_ITEM_WINDOW_H

#include "core/error.h"
#include "model/modality.h"
#include "nn/segments.h"

#include <stdint.h>

enum { WINDOW_ITEMS = 128, WINDOW_SIDES = MODALITIES };

typedef struct WindowSide {
    size_t width, rows, capacity; /* rows of `width` elements of 4 bytes: values, or ids (width 1) */
    void *values;
    size_t offsets[WINDOW_ITEMS + 1];
} WindowSide;

typedef struct ItemWindow {
    size_t items;
    char *keys[WINDOW_ITEMS];
    size_t key_sizes[WINDOW_ITEMS];
    WindowSide sides[WINDOW_SIDES];
} ItemWindow;

/* Room for the rows of the item that comes next: where they are to be written. */
void *item_window_add_rows(ItemWindow *window, size_t side, size_t rows);

/* The item whose rows were added. The window must not be full. */
void item_window_add(ItemWindow *window, const char *key, size_t key_size);

Segments item_window_segments(const ItemWindow *window, size_t side);

/* Empties it; item_window_free also gives its memory back. */
void item_window_clear(ItemWindow *window);
void item_window_free(ItemWindow *window);

/* For messages: "item 'v17'". */
enum { WINDOW_ITEM_TEXT = 96 };
void item_window_describe(const ItemWindow *window, size_t item, char text[WINDOW_ITEM_TEXT]);

#endif

/* Which rows of a large table have a gradient, so that the others, whose gradient stays zero, need not be
 * cleared, summed up or sent. */
#ifndef NN_TOUCHED_ROWS_H
#define NN_TOUCHED_ROWS_H

#include <stddef.h>
#include <stdint.h>

typedef struct TouchedRows {
    uint32_t *rows;
    size_t count, capacity;
} TouchedRows;

TouchedRows *touched_rows_create(void);
void touched_rows_destroy(TouchedRows *touched);

void touched_rows_add(TouchedRows *touched, const uint32_t *rows, size_t count);

/* Brings them in order: rising, each once. */
void touched_rows_sort(TouchedRows *touched);

#endif

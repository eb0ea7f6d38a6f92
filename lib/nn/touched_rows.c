#include "nn/touched_rows.h"

#include "core/memory.h"

#include <stdbool.h>
#include <string.h>

TouchedRows *touched_rows_create(void) {
    return memory_need(1, sizeof(TouchedRows));
}

void touched_rows_destroy(TouchedRows *touched) {
    if (!touched) return;
    free(touched->rows);
    free(touched);
}

void touched_rows_add(TouchedRows *touched, const uint32_t *rows, size_t count) {
    if (!count) return;
    touched->rows = memory_grow(touched->rows, &touched->capacity, touched->count + count, sizeof *rows);
    memcpy(touched->rows + touched->count, rows, count * sizeof *rows);
    touched->count += count;
}

static int compare_rows(const void *a, const void *b) {
    const uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static bool rises(const uint32_t *rows, size_t count) {
    for (size_t i = 1; i < count; i++)
        if (rows[i] <= rows[i - 1]) return false;
    return true;
}

void touched_rows_sort(TouchedRows *touched) {
    uint32_t *rows = touched->rows;
    size_t kept = 0;
    if (rises(rows, touched->count)) return;
    qsort(rows, touched->count, sizeof *rows, compare_rows);
    for (size_t i = 0; i < touched->count; i++)
        if (!i || rows[i] != rows[kept - 1]) rows[kept++] = rows[i];
    touched->count = kept;
}

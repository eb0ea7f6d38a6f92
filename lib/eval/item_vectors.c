#include "eval/item_vectors.h"

#include "core/memory.h"

#include <string.h>

static void gather_from_array(const ItemVectors *vectors, const uint32_t *items, size_t count, float *out) {
    const size_t dim = vectors->dim;
#pragma omp parallel for
    for (size_t i = 0; i < count; i++)
        memcpy(out + i * dim, vectors->array + items[i] * dim, dim * sizeof *out);
}

static void gather_from_store(const ItemVectors *vectors, const uint32_t *items, size_t count, float *out) {
    uint32_t *rows = memory_need(count, sizeof *rows);
    for (size_t i = 0; i < count; i++)
        rows[i] = vectors->rows[items[i]];
    feature_store_gather_rows(vectors->store, rows, count, out);
    free(rows);
}

void item_vectors_gather(const ItemVectors *vectors, const uint32_t *items, size_t count, float *out) {
    (vectors->array ? gather_from_array : gather_from_store)(vectors, items, count, out);
}

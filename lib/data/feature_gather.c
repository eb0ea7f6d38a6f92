#include "core/memory.h"
#include "data/feature_cache.h"
#include "data/image_resize.h"
#include "stream/hidden_states.h"

#include <omp.h>
#include <string.h>

static const unsigned char *item_data(const FeatureStore *store, uint32_t item) {
    if (store->images) return store->mapped[item];
    return store->rows.bytes + store->first_rows[item] * store->row_bytes;
}

static size_t item_bytes(const FeatureStore *store, uint32_t item) {
    return feature_store_rows(store, item) * store->row_bytes;
}

void feature_store_want(const FeatureStore *store, uint32_t item) {
    if (store->images || store->rows.in_file) memory_want(item_data(store, item), item_bytes(store, item));
}

void feature_store_offsets(const FeatureStore *store, const uint32_t *items, size_t count, size_t *offsets) {
    offsets[0] = 0;
    for (size_t i = 0; i < count; i++)
        offsets[i + 1] = offsets[i] + feature_store_rows(store, items[i]);
}

/* Writes one item to `out`, whose elements have 4 bytes; returns where the next one goes. */
static void *copy_item(const FeatureStore *store, uint32_t item, void *out) {
    const size_t rows = feature_store_rows(store, item), elements = rows * store->width;
    if (!elements) return out;
    const unsigned char *in = item_data(store, item);
    const HiddenStates hidden = hidden_states_at(in, store->dtype, rows, store->width);
    if (store->cache) feature_cache_check(store->cache, item, in, item_bytes(store, item));
    if (store->kind == FEATURE_HIDDEN)
        hidden_states_to_f32(&hidden, out);
    else if (dtype_is_float(store->dtype))
        dtype_to_f32(store->dtype, in, out, elements);
    else if (store->dtype == DTYPE_U8)
        image_normalise(in, store->pixel_size, &store->recipe, out);
    else
        memcpy(out, in, 4 * elements);
    return (char *)out + 4 * elements;
}

/* Each thread takes a run of items and finds by their lengths where it begins. */
static void gather(const FeatureStore *store, const uint32_t *items, size_t count, void *out) {
#pragma omp parallel
    {
        const size_t threads = (size_t)omp_get_num_threads(), thread = (size_t)omp_get_thread_num();
        const size_t first = count * thread / threads, end = count * (thread + 1) / threads;
        size_t rows = 0;
        for (size_t i = 0; i < first; i++)
            rows += feature_store_rows(store, items[i]);
        void *to = (char *)out + 4 * rows * store->width;
        for (size_t i = first; i < end; i++)
            to = copy_item(store, items[i], to);
    }
}

void feature_store_gather_rows(const FeatureStore *store, const uint32_t *items, size_t count,
                               float *values) {
    gather(store, items, count, values);
}

void feature_store_gather_ids(const FeatureStore *store, const uint32_t *items, size_t count, uint32_t *ids) {
    gather(store, items, count, ids);
}

void feature_store_gather_pixels(const FeatureStore *store, const uint32_t *items, size_t count,
                                 float *pixels) {
    gather(store, items, count, pixels);
}

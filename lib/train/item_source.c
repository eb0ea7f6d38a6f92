#include "train/item_source.h"

#include "core/memory.h"

#include <stdlib.h>
#include <string.h>

enum { ENCODE_WINDOW = 128 };

/* Have all stores an item of this name? */
static bool is_in_all(const ItemSource *source, size_t name) {
    for (size_t s = 0; s < SOURCES; s++)
        if (source->stores[s] && item_numbers_find(&source->stores[s]->items, name) == SIZE_MAX) return false;
    return true;
}

/* Leaves out what some store lacks; returns how many names are left. */
static size_t join_stores(ItemSource *source) {
    const size_t count = name_table_count(source->names);
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        const bool is_kept = is_in_all(source, i);
        kept += is_kept;
        if (is_kept) continue;
        if (!source->left_out) source->left_out = memory_need(count, sizeof *source->left_out);
        source->left_out[i] = true;
    }
    for (size_t s = 0; s < SOURCES; s++)
        if (source->stores[s]) source->dropped += feature_store_items(source->stores[s]) - kept;
    return kept;
}

/* No store is empty, so it takes two of them to have no item in common. */
static bool refuse_stores(FeatureStore *const stores[SOURCES], Error *error) {
    const char *names[SOURCES] = {""};
    for (size_t s = 0, count = 0; s < SOURCES; s++)
        if (stores[s]) names[count++] = stores[s]->name;
    return error_set(error, "%s and %s have no item in common; were they made from the same items.tsv?",
                     names[0], names[1]);
}

bool item_source_create(ItemSource *source, FeatureStore *const stores[SOURCES], const NameTable *names,
                        Error *error) {
    const FeatureStore *image = stores[SOURCE_IMAGE];
    *source = (ItemSource){.names = names};
    memcpy(source->stores, stores, sizeof source->stores);
    if (image && image->kind == FEATURE_HIDDEN) source->image_tokens = feature_store_rows(image, 0);
    if (join_stores(source)) return true;
    item_source_free(source);
    return refuse_stores(stores, error);
}

void item_source_free(ItemSource *source) {
    free(source->left_out);
    for (size_t s = 0; s < SOURCES; s++)
        free(source->by_item[s]);
    *source = (ItemSource){0};
}

void item_source_number(ItemSource *source, const Behaviours *behaviours) {
    for (size_t s = 0; s < SOURCES; s++) {
        if (!source->stores[s]) continue;
        source->by_item[s] = memory_need(behaviours->known_count + 1, sizeof(uint32_t));
        for (uint32_t i = 1; i <= behaviours->known_count; i++)
            source->by_item[s][i] =
                (uint32_t)item_numbers_find(&source->stores[s]->items, behaviours->item_rows[i]);
    }
}

static const uint32_t *store_rows(const ItemSource *source, size_t s, Tape *tape, const uint32_t *items,
                                  size_t count) {
    uint32_t *rows = arena_take(tape->arena, count, sizeof *rows);
    for (size_t i = 0; i < count; i++)
        rows[i] = source->by_item[s][items[i]];
    return rows;
}

static Segments gather_offsets(const FeatureStore *store, Tape *tape, const uint32_t *rows, size_t count) {
    size_t *offsets = arena_take(tape->arena, count + 1, sizeof *offsets);
    feature_store_offsets(store, rows, count, offsets);
    return (Segments){count, offsets};
}

static float *gather_values(const FeatureStore *store, Tape *tape, const uint32_t *rows, size_t count,
                            size_t total) {
    float *values = arena_take(tape->arena, total * store->width, sizeof(float));
    feature_store_gather_rows(store, rows, count, values);
    return values;
}

static void gather_text(const ItemSource *source, Tape *tape, const uint32_t *items, size_t count,
                        ItemBatch *batch) {
    const FeatureStore *store = source->stores[SOURCE_TEXT];
    const uint32_t *rows = store_rows(source, SOURCE_TEXT, tape, items, count);
    batch->text_segments = gather_offsets(store, tape, rows, count);
    const size_t total = segments_rows(batch->text_segments);
    if (store->kind == FEATURE_TOKENS) {
        uint32_t *ids = arena_take(tape->arena, total, sizeof *ids);
        feature_store_gather_ids(store, rows, count, ids);
        batch->text_ids = ids;
    } else {
        batch->text_hidden = gather_values(store, tape, rows, count, total);
    }
}

static void gather_image(const ItemSource *source, Tape *tape, const uint32_t *items, size_t count,
                         ItemBatch *batch) {
    const FeatureStore *store = source->stores[SOURCE_IMAGE];
    const uint32_t *rows = store_rows(source, SOURCE_IMAGE, tape, items, count);
    if (store->kind == FEATURE_PIXELS) {
        float *pixels = arena_take(tape->arena, count * store->width, sizeof(float));
        feature_store_gather_pixels(store, rows, count, pixels);
        batch->pixels = pixels;
        return;
    }
    batch->image_tokens = source->image_tokens;
    batch->image_segments = gather_offsets(store, tape, rows, count);
    batch->image_hidden = gather_values(store, tape, rows, count, segments_rows(batch->image_segments));
}

void item_source_gather(const ItemSource *source, Tape *tape, const uint32_t *items, size_t count,
                        ItemBatch *batch) {
    *batch = (ItemBatch){.count = count, .numbers = items};
    if (source->stores[SOURCE_TEXT]) gather_text(source, tape, items, count, batch);
    if (source->stores[SOURCE_IMAGE]) gather_image(source, tape, items, count, batch);
    if (source->stores[SOURCE_VECTORS])
        batch->vectors = gather_values(source->stores[SOURCE_VECTORS], tape,
                                       store_rows(source, SOURCE_VECTORS, tape, items, count), count, count);
}

static void want_item(const ItemSource *source, uint32_t item) {
    for (size_t s = 0; s < SOURCES; s++)
        if (source->stores[s]) feature_store_want(source->stores[s], source->by_item[s][item]);
}

void item_source_want(const ItemSource *source, const uint32_t *items, size_t count) {
    for (size_t i = 0; i < count; i++)
        want_item(source, items[i]);
}

/* Items first … first + window − 1, and with the first of all the padding item. */
static void encode_window(const ItemSource *source, const Recommender *recommender, Tape *tape, size_t first,
                          size_t window, float *vectors) {
    const size_t dim = (size_t)recommender->settings.dim;
    const bool padding = first == 1 && recommender_sees_padding(recommender);
    ItemBatch batch;
    ItemTokens tokens;
    tape_reset(tape, 0);
    uint32_t *items = arena_take(tape->arena, window, sizeof *items);
    for (size_t i = 0; i < window; i++)
        items[i] = (uint32_t)(first + i);
    item_source_gather(source, tape, items, window, &batch);
    const Tensor *result = recommender_items(recommender, tape, &batch, padding, &tokens);
    const float *values = tape_read(tape, result);
    memcpy(vectors + first * dim, values, window * dim * sizeof *vectors);
    if (padding) memcpy(vectors, values + window * dim, dim * sizeof *vectors);
}

void item_source_encode(const ItemSource *source, const Recommender *recommender, const Ranks *ranks,
                        Tape *tape, size_t count, float *vectors) {
    const size_t dim = (size_t)recommender->settings.dim,
                 windows = (count + ENCODE_WINDOW - 1) / ENCODE_WINDOW;
    size_t *offsets =
        memory_need((size_t)ranks->count + 1, sizeof *offsets); /* in windows, then in vectors */
    ranks_share(ranks, windows, offsets);
    memset(vectors, 0, dim * sizeof *vectors);
    for (size_t w = offsets[ranks->rank]; w < offsets[ranks->rank + 1]; w++) {
        const size_t first = 1 + w * ENCODE_WINDOW, end = first + ENCODE_WINDOW;
        for (size_t item = end; item <= count && item < end + ENCODE_WINDOW; item++)
            want_item(source, (uint32_t)item);
        encode_window(source, recommender, tape, first, end <= count ? ENCODE_WINDOW : count + 1 - first,
                      vectors);
    }
    for (int r = 1; r <= ranks->count; r++)
        offsets[r] = offsets[r] == windows ? count + 1 : 1 + offsets[r] * ENCODE_WINDOW;
    ranks_gather(ranks, offsets, dim * sizeof *vectors, vectors);
    free(offsets);
}

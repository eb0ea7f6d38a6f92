#include "train/inputs.h"

#include "core/log.h"
#include "core/memory.h"

#include <string.h>

void inputs_choose_tower(TrainRequest *request) {
    if (request->items)
        request->settings.tower = TOWER_VECTORS;
    else if (request->tower_given)
        return;
    else if (request->text && request->image)
        request->settings.tower = TOWER_MODAL;
    else if (request->text)
        request->settings.tower = TOWER_TEXT_ONLY;
    else if (request->image)
        request->settings.tower = TOWER_IMAGE_ONLY;
    else
        request->settings.tower = TOWER_ID;
}

static FeatureStore *read_store(const TrainRequest *request, const char *path, Error *error) {
    FeatureStore *store = memory_need(1, sizeof *store);
    if (feature_store_read(store, path, (size_t)request->memory << 20, error)) return store;
    free(store);
    return NULL;
}

static bool read_side(Side *side, const TrainRequest *request, Error *error) {
    const char *name = side->kind->name;
    if (!side->path)
        return error_set(error, "the tower %s needs --%s", tower_name(request->settings.tower), name);
    const FeatureStore *store = side->store = read_store(request, side->path, error);
    if (!store) return false;
    if (store->kind == side->kind->raw_kind ||
        (store->kind == FEATURE_HIDDEN && store->modality && !strcmp(store->modality, name)))
        return true;
    return error_set(error, "%s: this is no stream of %ss to be given as --%s", side->path, name, name);
}

static bool read_vectors(TrainInputs *inputs, TrainRequest *request, Error *error) {
    inputs->vectors = read_store(request, request->items, error);
    if (!inputs->vectors) return false;
    if (inputs->vectors->kind != FEATURE_VECTORS)
        return error_set(error, "%s: --items takes a stream of item vectors", request->items);
    request->settings.dim = (int64_t)inputs->vectors->width;
    return true;
}

static bool read_streams(TrainInputs *inputs, TrainRequest *request, Error *error) {
    bool reads[MODALITIES];
    if (request->settings.tower == TOWER_VECTORS) return read_vectors(inputs, request, error);
    if (request->settings.tower == TOWER_ID)
        return request->catalog
                   ? catalogue_read(&inputs->catalogue, request->catalog, error)
                   : error_set(error, "the ID tower needs --catalog items.tsv for its item names");
    if (!recommender_modalities(&request->settings, &reads[MODALITY_TEXT], &reads[MODALITY_IMAGE], error))
        return false;
    for (Modality modality = MODALITY_TEXT; modality < MODALITIES; modality++)
        if (reads[modality] && !read_side(&inputs->sides[modality], request, error)) return false;
    return true;
}

static bool join_items(TrainInputs *inputs, Error *error) {
    FeatureStore *const stores[SOURCES] = {[SOURCE_TEXT] = inputs->sides[MODALITY_TEXT].store,
                                           [SOURCE_IMAGE] = inputs->sides[MODALITY_IMAGE].store,
                                           [SOURCE_VECTORS] = inputs->vectors};
    if (!item_source_create(&inputs->source, stores, inputs->catalogue.names, error)) return false;
    inputs->has_source = true;
    if (inputs->source.dropped)
        log_report("%zu items are in one stream and not in the other, and left out", inputs->source.dropped);
    return true;
}

static bool read_behaviours(TrainInputs *inputs, const TrainRequest *request, Error *error) {
    const BehavioursOptions options = {
        .min_seq_len = (uint32_t)request->settings.min_seq_len,
        .max_seq_len = (uint32_t)request->settings.max_seq_len,
        .unknown = strcmp(request->unknown_items, "drop") ? UNKNOWN_ITEMS_REFUSE : UNKNOWN_ITEMS_DROP};
    char text[512];
    if (!behaviours_read(&inputs->behaviours, request->users, inputs->source.names, &options, error))
        return false;
    inputs->has_behaviours = true;
    behaviours_describe(&inputs->behaviours, text, sizeof text);
    log_report("%s", text);
    item_source_number(&inputs->source, &inputs->behaviours);
    return true;
}

bool inputs_read(TrainInputs *inputs, TrainRequest *request, Error *error) {
    return read_streams(inputs, request, error) && join_items(inputs, error) &&
           read_behaviours(inputs, request, error);
}

void inputs_free(TrainInputs *inputs) {
    if (inputs->has_source) item_source_free(&inputs->source);
    if (inputs->has_behaviours) behaviours_free(&inputs->behaviours);
    if (inputs->catalogue.names) catalogue_free(&inputs->catalogue);
    for (Modality modality = MODALITY_TEXT; modality < MODALITIES; modality++)
        side_free(&inputs->sides[modality]);
    if (inputs->vectors) feature_store_free(inputs->vectors);
    free(inputs->vectors);
}

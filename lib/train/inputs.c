#include "train/inputs.h"

#include "core/file_kind.h"
#include "core/log.h"
#include "core/memory.h"

#include <string.h>

static Tower tower_of_streams(const TrainRequest *request) {
    if (request->items) return TOWER_VECTORS;
    if (request->text) return request->image ? TOWER_MODAL : TOWER_TEXT_ONLY;
    return request->image ? TOWER_IMAGE_ONLY : TOWER_ID;
}

/* A stream or a file that the tower does not read was given by mistake. */
static bool check_read(const TrainRequest *request, const char *option, const char *path, bool read,
                       Error *error) {
    const char *tower = tower_name(request->settings.tower);
    if (!path == !read) return true;
    return error_set(error, read ? "the tower %s needs --%s" : "the tower %s does not read --%s", tower,
                     option);
}

static bool check_side(const TrainRequest *request, const Side *side, bool read, Error *error) {
    const SideKind *kind = side->kind;
    if (!check_read(request, kind->name, side->path, read, error)) return false;
    if (side->weights_path && !read)
        return check_read(request, kind->encoder_option, side->weights_path, read, error);
    if (side->config_given && side->weights_path)
        return error_set(error, "--%s is not read beside --%s, whose file says the architecture itself",
                         kind->config_option, kind->encoder_option);
    return !side->config_given || read ||
           check_read(request, kind->config_option, side->config_path, read, error);
}

bool inputs_choose_tower(const TrainInputs *inputs, TrainRequest *request, Error *error) {
    Settings *settings = &request->settings;
    bool reads[MODALITIES];
    if (!request->tower_given) settings->tower = tower_of_streams(request);
    if (!recommender_modalities(settings, reads, error) ||
        !check_read(request, "items", request->items, settings->tower == TOWER_VECTORS, error) ||
        !check_read(request, "catalog", request->catalog, settings->tower == TOWER_ID, error))
        return false;
    for (Modality modality = MODALITY_TEXT; modality < MODALITIES; modality++)
        if (!check_side(request, &inputs->sides[modality], reads[modality], error)) return false;
    return true;
}

/* Of what --memory allows for all streams together. */
static size_t memory_left(const TrainInputs *inputs, const TrainRequest *request) {
    size_t left = (size_t)request->memory << 20;
    for (const Side *side = inputs->sides; side < inputs->sides + MODALITIES; side++)
        if (side->store && !side->store->rows.in_file) left -= side->store->rows.size;
    return left;
}

static FeatureStore *read_store(TrainInputs *inputs, const TrainRequest *request, const char *path,
                                Error *error) {
    FeatureStore *store = memory_need(1, sizeof *store);
    if (!inputs->names) inputs->names = name_table_create();
    if (feature_store_read_shared(store, path, memory_left(inputs, request), inputs->names, request->cache,
                                  error))
        return store;
    free(store);
    return NULL;
}

static bool read_side(TrainInputs *inputs, Side *side, const TrainRequest *request, Error *error) {
    const char *name = side->kind->name;
    const FeatureStore *store = side->store = read_store(inputs, request, side->path, error);
    if (!store) return false;
    if (store->kind == side->kind->raw_kind ||
        (store->kind == FEATURE_HIDDEN && store->modality && !strcmp(store->modality, name)))
        return true;
    error_set(error, "%s: this is no stream of %ss to be given as --%s", side->path, name, name);
    return file_kind_explain(side->path, error);
}

static bool read_vectors(TrainInputs *inputs, TrainRequest *request, Error *error) {
    inputs->vectors = read_store(inputs, request, request->items, error);
    if (!inputs->vectors) return false;
    if (inputs->vectors->kind != FEATURE_VECTORS) {
        error_set(error, "%s: --items takes a stream of item vectors", request->items);
        return file_kind_explain(request->items, error);
    }
    request->settings.dim = (int64_t)inputs->vectors->width;
    return true;
}

static bool read_streams(TrainInputs *inputs, TrainRequest *request, Error *error) {
    if (request->items) return read_vectors(inputs, request, error);
    if (request->catalog) return catalogue_read(&inputs->catalogue, request->catalog, error);
    for (Side *side = inputs->sides; side < inputs->sides + MODALITIES; side++)
        if (side->path && !read_side(inputs, side, request, error)) return false;
    return true;
}

static bool join_items(TrainInputs *inputs, Error *error) {
    FeatureStore *const stores[SOURCES] = {[SOURCE_TEXT] = inputs->sides[MODALITY_TEXT].store,
                                           [SOURCE_IMAGE] = inputs->sides[MODALITY_IMAGE].store,
                                           [SOURCE_VECTORS] = inputs->vectors};
    const NameTable *names = inputs->names ? inputs->names : inputs->catalogue.names;
    if (!item_source_create(&inputs->source, stores, names, error)) return false;
    inputs->has_source = true;
    if (inputs->source.dropped)
        log_report("%zu items are in one stream and not in the other, and left out", inputs->source.dropped);
    return true;
}

static bool read_behaviours(TrainInputs *inputs, const TrainRequest *request, Error *error) {
    const BehavioursOptions options = {.min_seq_len = (uint32_t)request->settings.min_seq_len,
                                       .max_seq_len = (uint32_t)request->settings.max_seq_len,
                                       .unknown = request->unknown_items,
                                       .left_out = inputs->source.left_out};
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
    name_table_destroy(inputs->names);
}

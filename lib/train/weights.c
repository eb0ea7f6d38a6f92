#include "train/weights.h"

#include "core/finite.h"
#include "core/log.h"
#include "core/memory.h"
#include "huggingface/hf_config.h"
#include "model/item_names.h"
#include "model/lineage.h"
#include "model/model_file.h"

#include <inttypes.h>
#include <string.h>

bool weights_open(TrainWeights *weights, TrainInputs *inputs, const TrainRequest *request, Error *error) {
    if (request->init && !(weights->init = stream_reader_open_kind(request->init, "model", error)))
        return false;
    for (Side *side = inputs->sides; side < inputs->sides + MODALITIES; side++) {
        if (!side->weights_path) continue;
        side->weights = stream_reader_open_kind(side->weights_path, "encoder", error);
        if (!side->weights) return false;
    }
    return true;
}

bool weights_inherit_settings(const TrainWeights *weights, Program *program, Error *error) {
    static const char *const keys[] = {"fusion",        "user-encoder",       "dim",         "fusion-heads",
                                       "fusion-layers", "user-heads",         "user-blocks", "max-seq-len",
                                       "min-seq-len",   "fusion-intermediate"};
    if (!weights->init) return true;
    const json_t *config = json_object_get(stream_reader_header(weights->init), "config");
    json_t *shape = json_object();
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (json_object_get(config, keys[i]))
            json_object_set(shape, keys[i], json_object_get(config, keys[i]));
    const bool fine = options_inherit(program, shape, error) ||
                      error_prefix(error, "%s: ", stream_reader_name(weights->init));
    json_decref(shape);
    return fine;
}

/* The encoder's configuration: of its own file, of --text-config, of --init, or of the stream, in this order;
 * *place receives where it stands. NULL, with a message, when there is none. */
static json_t *find_config(const Side *side, const StreamReader *init, const char **place, Error *error) {
    const SideKind *kind = side->kind;
    const char *key = modality_encoder_key(kind->modality);
    const json_t *config;
    if (side->config_path && !side->weights) {
        *place = side->config_path;
        return hf_config_read(side->config_path, error);
    }
    if (side->weights) {
        *place = stream_reader_name(side->weights);
        config = json_object_get(stream_reader_header(side->weights), "config");
    } else if (init && json_is_object(json_object_get(stream_reader_header(init), key))) {
        *place = stream_reader_name(init);
        config = json_object_get(stream_reader_header(init), key);
    } else {
        *place = side->path;
        config = json_object_get(side->store->header, "encoder");
    }
    if (!config)
        error_set(error, "--%s starts from %s; give the encoder with --%s or its architecture with --%s",
                  kind->name, kind->raw, kind->encoder_option, kind->config_option);
    return json_incref((json_t *)config);
}

/* Above the last block there is nothing that an encoder could give. */
static bool check_unread(const Side *side, Error *error) {
    const char *option = side->weights        ? side->kind->encoder_option
                         : side->config_given ? side->kind->config_option
                                              : NULL;
    return !option || error_set(error,
                                "--%s is not read: the hidden states of --%s come after the last block, and "
                                "no block goes on from them",
                                option, side->kind->name);
}

static bool find_encoder(Side *side, const StreamReader *init, Error *error) {
    const FeatureStore *store = side->store;
    const char *name = side->kind->name, *place;
    if (!store) return true;
    if (store->blocks == FEATURE_BLOCKS_LAST) return check_unread(side, error);
    side->encoder_json = find_config(side, init, &place, error);
    if (!side->encoder_json) return false;
    if (!encoder_config_read(&side->encoder, side->encoder_json, error))
        return error_prefix(error, "%s: ", place);
    if (encoder_config_is_text(&side->encoder) != (side->kind->modality == MODALITY_TEXT))
        return error_set(error, "%s: this is no %s encoder", place, name);
    if (store->blocks > (int64_t)side->encoder.blocks)
        return error_set(error, "--%s has %" PRId64 " blocks behind it, but the encoder in %s has only %zu",
                         name, store->blocks, place, side->encoder.blocks);
    return true;
}

static bool check_tokens(const Side *side, Error *error) {
    const FeatureStore *store = side->store;
    const size_t most = encoder_config_most_tokens(&side->encoder);
    uint32_t *ids = memory_need(most, sizeof *ids);
    bool fine = true;
    for (uint32_t i = 0; fine && i < feature_store_items(store); i++) {
        const size_t rows = feature_store_rows(store, i);
        if (rows <= most) feature_store_gather_ids(store, &i, 1, ids);
        fine = encoder_check_tokens(&side->encoder, ids, rows, error) ||
               error_prefix(error, "%s: item '%s': ", side->path, item_numbers_name(&store->items, i));
    }
    free(ids);
    return fine;
}

/* Token ids and image sizes must fit the encoder before any step needs them. */
static bool check_store(const Side *side, Error *error) {
    const FeatureStore *store = side->store;
    if (!store || !side->encoder_json) return true;
    if (store->kind == FEATURE_TOKENS) return check_tokens(side, error);
    if (store->kind == FEATURE_HIDDEN)
        return store->width == side->encoder.width ||
               error_set(error, "%s: hidden states of width %zu, but the encoder's is %zu", side->path,
                         store->width, side->encoder.width);
    side->store->recipe = side->encoder.recipe;
    if (store->images) image_recipe_compare(&store->recipe, store->header, side->path);
    return store->pixel_size == side->encoder.image_size ||
           error_set(error, "%s: images of %zu pixels a side, but the encoder's are %zu", side->path,
                     store->pixel_size, side->encoder.image_size);
}

static bool create_recommender(TrainWeights *weights, TrainInputs *inputs, const TrainRequest *request,
                               Error *error) {
    for (Side *side = inputs->sides; side < inputs->sides + MODALITIES; side++)
        if (!find_encoder(side, weights->init, error) || !check_store(side, error)) return false;
    const Side *text = &inputs->sides[MODALITY_TEXT], *image = &inputs->sides[MODALITY_IMAGE];
    const RecommenderInputs parts = {
        .item_towers = request->settings.tower != TOWER_VECTORS,
        .user_encoder = true,
        .objectives = true,
        .text_width = side_width(text),
        .image_width = side_width(image),
        .text = text->encoder_json ? &text->encoder : NULL,
        .image = image->encoder_json ? &image->encoder : NULL,
        .text_blocks = text->store ? text->store->blocks : 0,
        .image_blocks = image->store ? image->store->blocks : 0,
        .id_items = inputs->behaviours.item_count,
    };
    weights->recommender = recommender_create(&request->settings, &parts, error);
    return weights->recommender != NULL;
}

/* The prefixes of the frozen parts of the encoders in use, which are kept so that the new model is whole. */
static void list_frozen(const TrainInputs *inputs, char prefixes[128]) {
    *prefixes = 0;
    for (const Side *side = inputs->sides; side < inputs->sides + MODALITIES; side++)
        if (side->encoder_json)
            snprintf(prefixes + strlen(prefixes), 128 - strlen(prefixes), "%s%s", *prefixes ? "|" : "",
                     side->kind->prefix);
}

/* Whether --init, read alone so far, gave values to what goes on from the stream of this side: the blocks
 * above it, or the projection where there is none. */
static bool takes_from_init(const ParameterSet *set, const Side *side) {
    for (size_t i = 0; i < set->count; i++) {
        const Parameter *parameter = set->list[i];
        const bool goes_on = side->encoder_json ? parameter->group == side->kind->group
                                                : !strcmp(parameter->name, side->kind->projection);
        if (goes_on && parameter->loaded) return true;
    }
    return false;
}

/* An ID tower's table is not read into the parameter of its name, since its rows may be other items'. */
static bool load_init(TrainWeights *weights, TrainInputs *inputs, const TrainRequest *request, Error *error) {
    ParameterSet *set = weights->recommender->parameters;
    char frozen[128];
    ModelFound found;
    if (!weights->init) return true;
    list_frozen(inputs, frozen);
    weights->aside = parameter_set_create();
    const ModelFilter filter = {.transfer = request->transfer,
                                .keep = frozen,
                                .aside = weights->recommender->item_table ? ITEM_TENSORS : NULL,
                                .aside_set = weights->aside};
    if (!model_file_read(weights->init, set, &filter, &found, error)) return false;
    log_report("%s: %zu tensors taken, %zu kept frozen, %zu left; %zu of this model start afresh",
               stream_reader_name(weights->init), found.loaded, found.kept, found.left,
               set->count - found.loaded);
    weights->init_content = stream_reader_content(weights->init);
    for (Side *side = inputs->sides; side < inputs->sides + MODALITIES; side++)
        side->from_init = side->store && takes_from_init(set, side);
    return true;
}

/* Of an encoder's own file what --init has not given. */
static bool load_encoder(TrainWeights *weights, Side *side, Error *error) {
    if (!side->weights) return true;
    const char *prefix = recommender_encoder_prefix(&side->encoder);
    const char *name = stream_reader_name(side->weights);
    const ModelFilter filter = {.prefix = prefix, .keep = prefix, .only_missing = true};
    ModelFound found;
    if (!model_file_read(side->weights, weights->recommender->parameters, &filter, &found, error))
        return false;
    log_report("%s: %zu tensors to be trained, %zu kept frozen", name, found.loaded, found.kept);
    if (found.passed)
        log_report(
            "%s: %zu tensors are left, since those of --init win; a --transfer without them takes these",
            name, found.passed);
    side->weights_content = stream_reader_content(side->weights);
    return true;
}

/* The stream of a side and what goes on from it were made by one model. */
static bool check_maker(const TrainWeights *weights, const Side *side, Error *error) {
    if (!side->store || side->store->kind != FEATURE_HIDDEN) return true;
    const Lineage hidden = {side->path, side->store->header, side->store->content};
    if (side->from_init) {
        const Lineage model = {stream_reader_name(weights->init), stream_reader_header(weights->init),
                               weights->init_content};
        return lineage_check_hidden(&hidden, &model, (Modality)(side->kind - side_kinds), error);
    }
    if (!side->weights) return true;
    const Lineage encoder = {stream_reader_name(side->weights), stream_reader_header(side->weights),
                             side->weights_content};
    return lineage_check_encoder(&hidden, &encoder, error);
}

/* Blocks that go on from hidden states are of an encoder that exists: they must not start from random
 * weights. */
static bool check_blocks(const TrainWeights *weights, const Side *side, Error *error) {
    const ParameterSet *set = weights->recommender->parameters;
    if (!side->store || side->store->kind != FEATURE_HIDDEN) return true;
    for (size_t i = 0; i < set->count; i++)
        if (set->list[i]->group == side->kind->group && !set->list[i]->loaded)
            return error_set(error,
                             "the weights of %s above the blocks of --%s are missing; give them with --%s or "
                             "--init",
                             set->list[i]->name, side->kind->name, side->kind->encoder_option);
    return true;
}

static const char *kept_item_name(const void *context, size_t i, size_t *size) {
    const TrainInputs *inputs = context;
    return name_table_name(inputs->source.names, inputs->behaviours.item_rows[i + 1], size);
}

/* Rows of the table of --init go to the items of the same names; the others keep their initial values. */
static bool take_item_rows(const TrainWeights *weights, const TrainInputs *inputs, Error *error) {
    Parameter *table = weights->recommender->item_table;
    const uint32_t count = inputs->behaviours.item_count;
    const size_t dim = table->columns;
    ItemNumbers items;
    if (!weights->aside || !parameter_set_passenger(weights->aside, ITEM_TABLE_TENSOR)) return true;
    const char *path = stream_reader_name(weights->init);
    const Passenger *rows = item_table_read(weights->aside, dim, inputs->catalogue.names, &items, error);
    if (!rows) return error_prefix(error, "%s: ", path);
    size_t found = 0;
    for (uint32_t i = 0; i <= count; i++) { /* row 0 is the padding item's in both */
        const size_t row = i ? item_numbers_find(&items, inputs->behaviours.item_rows[i]) + 1 : 0;
        if (i && !row) continue;
        dtype_to_f32(rows->dtype, (const char *)rows->data + row * dim * dtype_size(rows->dtype),
                     table->value + i * dim, dim);
        found += i > 0;
    }
    const size_t known = items.count;
    item_numbers_free(&items);
    log_report("%s: rows of %zu of %" PRIu32 " items taken by name, %" PRIu32 " start afresh, %zu left", path,
               found, count, count - (uint32_t)found, known - found);
    parameter_changed(table);
    const size_t place = first_not_finite(table->value, table->count);
    return place == SIZE_MAX ||
           error_set(error, "%s: " ITEM_TABLE_TENSOR ": a value of row %zu is not finite", path, place / dim);
}

static bool initialise(TrainWeights *weights, const TrainInputs *inputs, uint64_t seed, Error *error) {
    ParameterSet *set = weights->recommender->parameters;
    Parameter *table = weights->recommender->item_table;
    parameter_set_initialise(set, seed);
    if (!table) return true;
    memset(table->value, 0, table->columns * sizeof(float)); /* the padding item's row */
    item_names_keep(set, inputs->behaviours.item_count, kept_item_name, inputs);
    return take_item_rows(weights, inputs, error);
}

bool weights_load(TrainWeights *weights, TrainInputs *inputs, const TrainRequest *request, Error *error) {
    if (!create_recommender(weights, inputs, request, error) || !load_init(weights, inputs, request, error))
        return false;
    for (Side *side = inputs->sides; side < inputs->sides + MODALITIES; side++)
        if (!load_encoder(weights, side, error)) return false;
    for (const Side *side = inputs->sides; side < inputs->sides + MODALITIES; side++)
        if (!check_blocks(weights, side, error) ||
            (!request->any_model && !check_maker(weights, side, error)))
            return false;
    return initialise(weights, inputs, (uint64_t)request->settings.seed, error);
}

void weights_free(TrainWeights *weights) {
    recommender_destroy(weights->recommender);
    parameter_set_destroy(weights->aside);
    stream_reader_close(weights->init);
    json_decref(weights->init_content);
}

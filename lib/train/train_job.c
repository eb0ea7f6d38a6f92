#include "train/train_job.h"

#include "core/log.h"
#include "core/memory.h"
#include "data/catalogue.h"
#include "huggingface/hf_config.h"
#include "model/item_names.h"
#include "model/model_file.h"
#include "train/trainer.h"

#include <inttypes.h>
#include <string.h>

typedef enum Side { TEXT, IMAGE, SIDES } Side;

static const char *const side_names[SIDES] = {"text", "image"};

typedef struct TrainJob {
    TrainRequest *request;
    FeatureStore *stores[SIDES], *vectors;
    Catalogue catalogue;
    json_t *encoder_json[SIDES]; /* the encoders' configurations; NULL: hidden states come in finished */
    EncoderConfig encoders[SIDES];
    StreamReader *init,
        *weights[SIDES]; /* --init, --text-encoder and --image-encoder; read once, so pipes will do */
    json_t *init_content, *weights_content[SIDES];
    ItemSource source;
    Behaviours behaviours;
    bool has_behaviours, has_source;
    Recommender *recommender;
    Trainer trainer;
} TrainJob;

static bool open_weights(TrainJob *job, Error *error) {
    const TrainRequest *request = job->request;
    const char *const weights[SIDES] = {request->text_encoder, request->image_encoder};
    if (request->init && !(job->init = stream_reader_open_kind(request->init, "model", error))) return false;
    for (Side side = TEXT; side < SIDES; side++)
        if (weights[side] && !(job->weights[side] = stream_reader_open_kind(weights[side], "encoder", error)))
            return false;
    return true;
}

/* The model of --init lends the settings that shape a model, but for the tower, which the streams choose. */
static bool inherit_settings(TrainJob *job, Program *program, Error *error) {
    static const char *const keys[] = {"fusion",        "user-encoder",       "dim",         "fusion-heads",
                                       "fusion-layers", "user-heads",         "user-blocks", "max-seq-len",
                                       "min-seq-len",   "fusion-intermediate"};
    if (!job->init) return true;
    const json_t *config = json_object_get(stream_reader_header(job->init), "config");
    json_t *shape = json_object();
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (json_object_get(config, keys[i]))
            json_object_set(shape, keys[i], json_object_get(config, keys[i]));
    const bool fine =
        options_inherit(program, shape, error) || error_prefix(error, "%s: ", job->request->init);
    json_decref(shape);
    return fine;
}

/* Without --tower the streams say which it is. */
static void choose_tower(TrainRequest *request) {
    if (request->items)
        request->settings.tower = "vectors";
    else if (request->tower_given)
        return;
    else if (request->text && request->image)
        request->settings.tower = "modal";
    else if (request->text)
        request->settings.tower = "text-only";
    else if (request->image)
        request->settings.tower = "image-only";
    else
        request->settings.tower = "id";
}

static FeatureStore *read_store(const TrainRequest *request, const char *path, Error *error) {
    FeatureStore *store = memory_need(1, sizeof *store);
    if (feature_store_read(store, path, (size_t)request->memory << 20, error)) return store;
    free(store);
    return NULL;
}

static bool read_side(TrainJob *job, Side side, const char *path, Error *error) {
    FeatureStore *store = job->stores[side] = read_store(job->request, path, error);
    if (!store) return false;
    const bool raw = store->kind == (side == TEXT ? FEATURE_TOKENS : FEATURE_PIXELS);
    if (raw ||
        (store->kind == FEATURE_HIDDEN && store->modality && !strcmp(store->modality, side_names[side])))
        return true;
    return error_set(error, "%s: this is no stream of %ss to be given as --%s", path, side_names[side],
                     side_names[side]);
}

static bool read_streams(TrainJob *job, Error *error) {
    TrainRequest *request = job->request;
    const bool vectors = !strcmp(request->settings.tower, "vectors"),
               id = !strcmp(request->settings.tower, "id");
    bool text = false, image = false;
    if (!vectors && !recommender_modalities(&request->settings, &text, &image, error)) return false;
    if (text && !request->text) return error_set(error, "the tower %s needs --text", request->settings.tower);
    if (image && !request->image)
        return error_set(error, "the tower %s needs --image", request->settings.tower);
    if (id && !request->catalog)
        return error_set(error, "the ID tower needs --catalog items.tsv for its item names");
    if (text && !read_side(job, TEXT, request->text, error)) return false;
    if (image && !read_side(job, IMAGE, request->image, error)) return false;
    if (id && !catalogue_read(&job->catalogue, request->catalog, error)) return false;
    if (!vectors) return true;
    job->vectors = read_store(request, request->items, error);
    if (!job->vectors) return false;
    if (job->vectors->kind != FEATURE_VECTORS)
        return error_set(error, "%s: --items takes a stream of item vectors", request->items);
    request->settings.dim = (int64_t)job->vectors->width;
    return true;
}

static bool read_behaviours(TrainJob *job, Error *error) {
    const TrainRequest *request = job->request;
    const BehavioursOptions options = {
        (uint32_t)request->settings.min_seq_len, (uint32_t)request->settings.max_seq_len,
        strcmp(request->unknown_items, "drop") ? UNKNOWN_ITEMS_REFUSE : UNKNOWN_ITEMS_DROP};
    char text[512];
    if (!item_source_create(&job->source, job->stores[TEXT], job->stores[IMAGE], job->vectors,
                            job->catalogue.names, error))
        return false;
    job->has_source = true;
    if (job->source.dropped)
        log_report("%zu items are in one stream and not in the other, and left out", job->source.dropped);
    if (!behaviours_read(&job->behaviours, request->users, job->source.names, &options, error)) return false;
    job->has_behaviours = true;
    behaviours_describe(&job->behaviours, text, sizeof text);
    log_report("%s", text);
    item_source_number(&job->source, &job->behaviours);
    return true;
}

/* The encoder's configuration: of its own file, of --text-config, of --init, or of the stream, in this order.
 */
static bool find_encoder(TrainJob *job, Side side, Error *error) {
    const TrainRequest *request = job->request;
    const FeatureStore *store = job->stores[side];
    const char *config = side == TEXT ? request->settings.text_config : request->settings.image_config;
    const char *key = side == TEXT ? "text_encoder" : "image_encoder";
    const char *place; /* where the configuration stands */
    if (!store || store->blocks == FEATURE_BLOCKS_LAST) return true;
    json_t *json = NULL;
    const json_t *init_config = job->init ? json_object_get(stream_reader_header(job->init), key) : NULL;
    if (job->weights[side]) {
        json = json_incref(json_object_get(stream_reader_header(job->weights[side]), "config"));
        place = stream_reader_name(job->weights[side]);
    } else if (config) {
        place = config;
        json = hf_config_read(config, error);
        if (!json) return false;
    } else if (json_is_object(init_config)) {
        json = json_incref((json_t *)init_config);
        place = stream_reader_name(job->init);
    } else {
        place = side == TEXT ? request->text : request->image;
        json = json_incref(json_object_get(store->header, "encoder"));
    }
    job->encoder_json[side] = json;
    if (!json)
        return error_set(error,
                         "--%s starts from %s; give the encoder with --%s-encoder or its architecture with "
                         "--%s-config",
                         side_names[side], side == TEXT ? "tokens" : "pixels", side_names[side],
                         side_names[side]);
    if (!encoder_config_read(&job->encoders[side], json, error)) return error_prefix(error, "%s: ", place);
    if (encoder_config_is_text(&job->encoders[side]) != (side == TEXT))
        return error_set(error, "%s: this is no %s encoder", place, side_names[side]);
    if (store->blocks > (int64_t)job->encoders[side].blocks)
        return error_set(error, "--%s has %" PRId64 " blocks behind it, but the encoder in %s has only %zu",
                         side_names[side], store->blocks, place, job->encoders[side].blocks);
    return true;
}

/* Token ids and image sizes must fit the encoder before any step needs them. */
static bool check_side(const TrainJob *job, Side side, Error *error) {
    const FeatureStore *store = job->stores[side];
    const EncoderConfig *config = &job->encoders[side];
    const char *path = side == TEXT ? job->request->text : job->request->image;
    if (!store || !job->encoder_json[side]) return true;
    if (store->kind == FEATURE_HIDDEN)
        return store->width == config->width ||
               error_set(error, "%s: hidden states of width %zu, but the encoder's is %zu", path,
                         store->width, config->width);
    if (store->kind == FEATURE_PIXELS)
        return store->pixel_size == config->image_size ||
               error_set(error, "%s: images of %zu pixels a side, but the encoder's are %zu", path,
                         store->pixel_size, config->image_size);
    uint32_t *ids = memory_need(encoder_config_most_tokens(config), sizeof *ids);
    bool fine = true;
    for (uint32_t i = 0; fine && i < feature_store_items(store); i++) {
        const size_t rows = feature_store_rows(store, i);
        if (rows <= encoder_config_most_tokens(config)) feature_store_gather_ids(store, &i, 1, ids);
        fine = encoder_check_tokens(config, ids, rows, error) ||
               error_prefix(error, "%s: item '%s': ", path, name_table_name(store->names, i, NULL));
    }
    free(ids);
    return fine;
}

static size_t side_width(const TrainJob *job, Side side) {
    const FeatureStore *store = job->stores[side];
    return !store ? 0 : store->kind == FEATURE_HIDDEN ? store->width : job->encoders[side].width;
}

static bool create_recommender(TrainJob *job, Error *error) {
    const TrainRequest *request = job->request;
    for (Side side = TEXT; side < SIDES; side++)
        if (!find_encoder(job, side, error) || !check_side(job, side, error)) return false;
    const RecommenderInputs inputs = {
        .item_towers = strcmp(request->settings.tower, "vectors") != 0,
        .user_encoder = true,
        .objectives = true,
        .text_width = side_width(job, TEXT),
        .image_width = side_width(job, IMAGE),
        .text = job->encoder_json[TEXT] ? &job->encoders[TEXT] : NULL,
        .image = job->encoder_json[IMAGE] ? &job->encoders[IMAGE] : NULL,
        .text_blocks = job->stores[TEXT] ? job->stores[TEXT]->blocks : 0,
        .image_blocks = job->stores[IMAGE] ? job->stores[IMAGE]->blocks : 0,
        .id_items = job->behaviours.item_count,
    };
    job->recommender = recommender_create(&request->settings, &inputs, error);
    return job->recommender != NULL;
}

static bool load_encoder(TrainJob *job, Side side, Error *error) {
    StreamReader *reader = job->weights[side];
    if (!reader || !job->encoder_json[side]) return true;
    const char *prefix =
        side == TEXT ? recommender_text_prefix() : recommender_image_prefix(&job->encoders[side]);
    const ModelFilter filter = {.prefix = prefix, .keep = prefix};
    ModelFound found;
    if (!model_file_read(reader, job->recommender->parameters, &filter, &found, error)) return false;
    log_report("%s: %zu tensors to be trained, %zu kept frozen", stream_reader_name(reader), found.loaded,
               found.kept);
    job->weights_content[side] = stream_reader_content(reader);
    return true;
}

/* Of --init the frozen parts of the encoders in use are kept, so that the new model is whole. */
static bool load_init(TrainJob *job, Error *error) {
    if (!job->init) return true;
    const bool text = job->encoder_json[TEXT], image = job->encoder_json[IMAGE];
    const ModelFilter filter = {.transfer = job->request->transfer,
                                .keep = text && image ? "text_encoder.bert_model.|cv_encoder.image_net."
                                        : text        ? "text_encoder.bert_model."
                                        : image       ? "cv_encoder.image_net."
                                                      : NULL};
    ModelFound found;
    if (!model_file_read(job->init, job->recommender->parameters, &filter, &found, error)) return false;
    log_report("%s: %zu tensors taken, %zu kept frozen, %zu left; %zu of this model start afresh",
               stream_reader_name(job->init), found.loaded, found.kept, found.left,
               job->recommender->parameters->count - found.loaded);
    job->init_content = stream_reader_content(job->init);
    return true;
}

/* Blocks that go on from hidden states are of an encoder that exists: they must not start from random
 * weights. */
static bool check_weights(const TrainJob *job, Error *error) {
    const ParameterSet *set = job->recommender->parameters;
    for (Side side = TEXT; side < SIDES; side++) {
        if (!job->stores[side] || job->stores[side]->kind != FEATURE_HIDDEN) continue;
        const ParameterGroup group = side == TEXT ? GROUP_TEXT : GROUP_IMAGE;
        for (size_t i = 0; i < set->count; i++)
            if (set->list[i]->group == group && !set->list[i]->loaded)
                return error_set(error,
                                 "the weights of %s above the blocks of --%s are missing; give them with "
                                 "--%s-encoder or --init",
                                 set->list[i]->name, side_names[side], side_names[side]);
    }
    return true;
}

static const char *kept_item_name(const void *context, size_t i, size_t *size) {
    const TrainJob *job = context;
    return name_table_name(job->source.names, job->behaviours.item_rows[i + 1], size);
}

static bool prepare(TrainJob *job, Error *error) {
    if (!read_streams(job, error) || !read_behaviours(job, error) || !create_recommender(job, error) ||
        !load_encoder(job, TEXT, error) || !load_encoder(job, IMAGE, error) || !load_init(job, error) ||
        !check_weights(job, error))
        return false;
    ParameterSet *set = job->recommender->parameters;
    parameter_set_initialise(set, (uint64_t)job->request->settings.seed);
    if (job->recommender->item_table) {
        Parameter *table = job->recommender->item_table;
        if (!table->loaded)
            memset(table->value, 0, table->columns * sizeof(float)); /* the padding item's row */
        item_names_keep(set, job->behaviours.item_count, kept_item_name, job);
    }
    return true;
}

static json_t *model_header(const TrainJob *job, const Program *program) {
    json_t *header = header_create("model");
    json_object_set_new(header, "config", settings_record(&job->request->settings));
    for (Side side = TEXT; side < SIDES; side++)
        json_object_set_new(header, side == TEXT ? "text_encoder" : "image_encoder",
                            job->encoder_json[side] ? json_incref(job->encoder_json[side]) : json_null());
    if (job->trainer.best_epoch) {
        const bool last = job->trainer.options.keep_last;
        json_object_set_new(header, "epoch",
                            json_integer(last ? job->trainer.epoch : job->trainer.best_epoch));
        if (!last) json_object_set(header, "valid", job->trainer.best_valid);
    }
    header_sign(header, program->name, options_record(program));
    header_add_input(header, "users", NULL);
    for (Side side = TEXT; side < SIDES; side++) {
        if (job->stores[side]) header_add_input(header, side_names[side], job->stores[side]->header);
        if (job->weights[side])
            header_add_input(header, side == TEXT ? "text-encoder" : "image-encoder",
                             stream_reader_header(job->weights[side]));
    }
    if (job->vectors) header_add_input(header, "items", job->vectors->header);
    if (job->catalogue.names) header_add_input(header, "catalog", NULL);
    if (job->init) header_add_input(header, "init", stream_reader_header(job->init));
    return header;
}

static bool write_model(TrainJob *job, const Program *program, Error *error) {
    json_t *header = model_header(job, program);
    StreamWriter *writer = stream_writer_open(job->request->output, header, error);
    json_decref(header);
    if (!writer) return false;
    stream_writer_add_content(writer, "users", json_incref(job->behaviours.content));
    for (Side side = TEXT; side < SIDES; side++) {
        if (job->stores[side])
            stream_writer_add_content(writer, side_names[side], json_incref(job->stores[side]->content));
        if (job->weights_content[side])
            stream_writer_add_content(writer, side == TEXT ? "text-encoder" : "image-encoder",
                                      json_incref(job->weights_content[side]));
    }
    if (job->vectors) stream_writer_add_content(writer, "items", json_incref(job->vectors->content));
    if (job->catalogue.names)
        stream_writer_add_content(writer, "catalog", json_incref(job->catalogue.content));
    if (job->init_content) stream_writer_add_content(writer, "init", json_incref(job->init_content));
    if (!model_file_write(writer, job->recommender->parameters, error)) {
        stream_writer_abandon(writer);
        return false;
    }
    return stream_writer_close(writer, error);
}

static bool run(TrainJob *job, Program *program, Error *error) {
    const TrainRequest *request = job->request;
    const TrainerOptions options = {!strcmp(request->keep, "last"), request->checkpoint, request->log};
    if (!open_weights(job, error) || !inherit_settings(job, program, error)) return false;
    choose_tower(job->request);
    return prepare(job, error) &&
           trainer_create(&job->trainer, job->recommender, &job->behaviours, &job->source, &options, error) &&
           trainer_run(&job->trainer, error) && write_model(job, program, error);
}

static void free_store(FeatureStore *store) {
    if (store) feature_store_free(store);
    free(store);
}

bool train_job(TrainRequest *request, Program *program, Error *error) {
    TrainJob *job = memory_need(1, sizeof *job);
    job->request = request;
    const bool fine = run(job, program, error);
    if (job->trainer.recommender) trainer_free(&job->trainer);
    recommender_destroy(job->recommender);
    if (job->has_source) item_source_free(&job->source);
    if (job->has_behaviours) behaviours_free(&job->behaviours);
    if (job->catalogue.names) catalogue_free(&job->catalogue);
    for (Side side = TEXT; side < SIDES; side++) {
        free_store(job->stores[side]);
        json_decref(job->encoder_json[side]);
        stream_reader_close(job->weights[side]);
        json_decref(job->weights_content[side]);
    }
    free_store(job->vectors);
    stream_reader_close(job->init);
    json_decref(job->init_content);
    free(job);
    return fine;
}

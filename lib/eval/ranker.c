#include "eval/ranker.h"

#include "core/file_kind.h"
#include "core/memory.h"
#include "model/model_file.h"

#include <inttypes.h>
#include <string.h>

static bool load_model(Ranker *ranker, Error *error) {
    const char *path = ranker->files.model;
    const RecommenderInputs inputs = {.user_encoder = true};
    const ModelFilter filter = {0};
    ModelFound found;
    StreamReader *reader = stream_reader_open_kind(path, "model", error);
    if (!reader) return false;
    const json_t *config = json_object_get(stream_reader_header(reader), "config");
    bool fine = settings_read(&ranker->settings, config, error) || error_prefix(error, "%s: ", path);
    if (fine) {
        ranker->recommender = recommender_create(&ranker->settings, &inputs, error);
        fine = ranker->recommender &&
               model_file_read(reader, ranker->recommender->parameters, &filter, &found, error) &&
               model_file_check_complete(ranker->recommender->parameters, path, error);
        if (fine) ranker->model = lineage_keep(reader);
    }
    stream_reader_close(reader);
    return fine;
}

static bool read_items(Ranker *ranker, Error *error) {
    const RankerFiles *files = &ranker->files;
    if (!files->items) return catalogue_read(&ranker->catalogue, files->catalog, error);
    if (!feature_store_read(&ranker->vectors, files->items, SIZE_MAX, error)) return false;
    if (ranker->vectors.kind != FEATURE_VECTORS) {
        error_set(error, "%s: this is no stream of item vectors; make one with pm-fuse", files->items);
        return file_kind_explain(files->items, error);
    }
    if (files->model && ranker->vectors.width != (size_t)ranker->settings.dim)
        return error_set(error, "%s: vectors of %zu, but the model's are of %" PRId64, files->items,
                         ranker->vectors.width, ranker->settings.dim);
    const Lineage items = {files->items, ranker->vectors.header, ranker->vectors.content};
    return !files->model || files->any_model || lineage_check_items(&items, &ranker->model, error);
}

/* For user encoders that see the padding item: pm-fuse put its vector into the header. Over given vectors,
 * which may be another model's, training took zeros. */
static bool read_padding(Ranker *ranker, Error *error) {
    const size_t dim = (size_t)ranker->settings.dim;
    const json_t *padding = json_object_get(ranker->vectors.header, "padding_item");
    ranker->padding = memory_need(dim, sizeof *ranker->padding);
    if (!padding || ranker->settings.tower == TOWER_VECTORS || !recommender_sees_padding(ranker->recommender))
        return true;
    if (json_array_size(padding) != dim)
        return error_set(error, "%s: the header's padding_item is no vector of %zu", ranker->files.items,
                         dim);
    for (size_t i = 0; i < dim; i++)
        ranker->padding[i] = (float)json_number_value(json_array_get(padding, i));
    return true;
}

bool ranker_open(Ranker *ranker, const RankerFiles *files, Error *error) {
    *ranker = (Ranker){.files = *files, .settings = settings_default};
    if ((files->model && !load_model(ranker, error)) || !read_items(ranker, error)) return false;
    if (!files->items) return true;
    const Backend *backend = backend_find(files->device, "f32", error);
    if (!backend) return false;
    ranker->tape = tape_create(backend, false);
    if (!files->model) return true;
    parameter_set_move(ranker->recommender->parameters, backend);
    return read_padding(ranker, error);
}

void ranker_close(Ranker *ranker) {
    recommender_destroy(ranker->recommender);
    lineage_free(&ranker->model);
    feature_store_free(&ranker->vectors);
    catalogue_free(&ranker->catalogue);
    free(ranker->padding);
    tape_destroy(ranker->tape);
    *ranker = (Ranker){0};
}

const NameTable *ranker_item_names(const Ranker *ranker) {
    return ranker->files.items ? ranker->vectors.items.names : ranker->catalogue.names;
}

uint32_t ranker_max_seq_len(const Ranker *ranker, int64_t asked, Error *error) {
    const int64_t most = ranker->settings.max_seq_len;
    if (!asked) return (uint32_t)most;
    if (!ranker->recommender || asked <= most) return (uint32_t)asked;
    error_set(error, "--max-seq-len %" PRId64 ", but the model %s has %" PRId64 " positions", asked,
              ranker->files.model, most);
    return 0;
}

Scorer ranker_scorer(const Ranker *ranker, const uint32_t *rows) {
    const ItemVectors vectors = {
        .dim = ranker->vectors.width, .padding = ranker->padding, .store = &ranker->vectors, .rows = rows};
    return (Scorer){ranker->recommender, ranker->tape, vectors};
}

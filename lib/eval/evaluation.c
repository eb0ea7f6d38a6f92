#include "eval/evaluation.h"

#include "core/file.h"
#include "core/log.h"
#include "core/memory.h"
#include "data/catalogue.h"
#include "data/feature_store.h"
#include "eval/baselines.h"
#include "eval/metrics.h"
#include "eval/scorer.h"
#include "model/model_file.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

typedef struct Evaluation {
    const EvaluationRequest *request;
    Split split;
    Cutoffs cutoffs;
    Settings settings;
    Recommender *recommender;
    FeatureStore vectors;
    Catalogue catalogue;
    bool has_vectors, has_behaviours;
    Behaviours behaviours;
    uint32_t candidates;
    double *ranks;
} Evaluation;

static bool load_model(Evaluation *evaluation, Error *error) {
    const char *path = evaluation->request->model;
    const RecommenderInputs inputs = {.user_encoder = true};
    const ModelFilter filter = {0};
    ModelFound found;
    StreamReader *reader = stream_reader_open_kind(path, "model", error);
    if (!reader) return false;
    const json_t *config = json_object_get(stream_reader_header(reader), "config");
    bool fine = settings_read(&evaluation->settings, config, error) || error_prefix(error, "%s: ", path);
    if (fine) {
        evaluation->recommender = recommender_create(&evaluation->settings, &inputs, error);
        fine = evaluation->recommender &&
               model_file_read(reader, evaluation->recommender->parameters, &filter, &found, error) &&
               model_file_check_complete(evaluation->recommender->parameters, path, error);
    }
    stream_reader_close(reader);
    return fine;
}

static bool read_items(Evaluation *evaluation, Error *error) {
    const EvaluationRequest *request = evaluation->request;
    if (!request->items) return catalogue_read(&evaluation->catalogue, request->catalog, error);
    if (!feature_store_read(&evaluation->vectors, request->items, SIZE_MAX, error)) return false;
    evaluation->has_vectors = true;
    if (evaluation->vectors.kind != FEATURE_VECTORS)
        return error_set(error, "%s: this is no stream of item vectors; make one with pm-fuse",
                         request->items);
    if (request->model && evaluation->vectors.width != (size_t)evaluation->settings.dim)
        return error_set(error, "%s: vectors of %zu, but the model's are of %" PRId64, request->items,
                         evaluation->vectors.width, evaluation->settings.dim);
    return true;
}

static bool read_behaviours(Evaluation *evaluation, Error *error) {
    const EvaluationRequest *request = evaluation->request;
    const int64_t most = request->max_seq_len ? request->max_seq_len : evaluation->settings.max_seq_len;
    const int64_t least = request->min_seq_len ? request->min_seq_len : evaluation->settings.min_seq_len;
    const BehavioursOptions options = {(uint32_t)least, (uint32_t)most,
                                       strcmp(request->unknown_items, "drop") ? UNKNOWN_ITEMS_REFUSE
                                                                              : UNKNOWN_ITEMS_DROP};
    const NameTable *names =
        evaluation->has_vectors ? evaluation->vectors.names : evaluation->catalogue.names;
    char text[512];
    if (request->model && most > evaluation->settings.max_seq_len)
        return error_set(error, "--max-seq-len %" PRId64 ", but the model has %" PRId64 " positions", most,
                         evaluation->settings.max_seq_len);
    if (!behaviours_read(&evaluation->behaviours, request->users, names, &options, error)) return false;
    evaluation->has_behaviours = true;
    evaluation->candidates = strcmp(request->candidates, "all") ? evaluation->behaviours.item_count
                                                                : evaluation->behaviours.known_count;
    behaviours_describe(&evaluation->behaviours, text, sizeof text);
    log_report("%s", text);
    return true;
}

/* The padding item's vector, for user encoders that see it: pm-fuse put it into the header. Over given
 * vectors, which may be another model's, training took zeros. */
static bool read_padding(const Evaluation *evaluation, float *vector, Error *error) {
    const size_t dim = (size_t)evaluation->settings.dim;
    const json_t *padding = json_object_get(evaluation->vectors.header, "padding_item");
    memset(vector, 0, dim * sizeof *vector);
    if (!padding || evaluation->settings.tower == TOWER_VECTORS ||
        !recommender_sees_padding(evaluation->recommender))
        return true;
    if (json_array_size(padding) != dim)
        return error_set(error, "%s: the header's padding_item is no vector of %zu",
                         evaluation->request->items, dim);
    for (size_t i = 0; i < dim; i++)
        vector[i] = (float)json_number_value(json_array_get(padding, i));
    return true;
}

static bool rank_by_model(Evaluation *evaluation, Error *error) {
    const size_t dim = (size_t)evaluation->settings.dim;
    const Backend *backend = backend_find("cpu", evaluation->request->compute, error);
    if (!backend) return false;
    float *vectors = memory_allocate((size_t)evaluation->candidates + 1, dim * sizeof *vectors, error);
    if (!vectors) return false;
    for (uint32_t i = 1; i <= evaluation->candidates; i++)
        feature_store_gather_rows(&evaluation->vectors, &evaluation->behaviours.item_rows[i], 1,
                                  vectors + i * dim);
    Tape *tape = tape_create(backend, false);
    const bool fine = read_padding(evaluation, vectors, error) &&
                      scorer_ranks(evaluation->recommender, tape, vectors, &evaluation->behaviours,
                                   evaluation->split, evaluation->candidates, evaluation->ranks, error);
    tape_destroy(tape);
    free(vectors);
    return fine;
}

static bool write_ranks(const Evaluation *evaluation, Error *error) {
    if (!evaluation->request->ranks) return true;
    OutputFile *file = output_file_open(evaluation->request->ranks, error);
    if (!file) return false;
    FILE *stream = output_file_stream(file);
    for (size_t i = 0; i < evaluation->behaviours.user_count; i++) {
        size_t size;
        const char *name = behaviours_user_name(&evaluation->behaviours, i, &size);
        fwrite(name, 1, size, stream);
        fprintf(stream, "\t%.10g\n", evaluation->ranks[i]);
    }
    return output_file_commit(file, error);
}

static void add_json(json_t *object, const Metrics *metrics) {
    json_t *values = metrics_json(metrics);
    json_object_update(object, values);
    json_decref(values);
}

static json_t *describe_json(const Evaluation *evaluation, const Metrics *all, const Metrics *cold,
                             const Metrics *warm) {
    json_t *object = json_object();
    json_object_set_new(object, "split", json_string(split_name(evaluation->split)));
    if (evaluation->request->baseline)
        json_object_set_new(object, "baseline", json_string(evaluation->request->baseline));
    json_object_set_new(object, "users", json_integer(evaluation->behaviours.user_count));
    json_object_set_new(object, "items", json_integer(evaluation->candidates));
    add_json(object, all);
    if (evaluation->request->cold) {
        json_object_set_new(object, "cold", metrics_json(cold));
        json_object_set_new(object, "warm", metrics_json(warm));
    }
    return object;
}

static void print_metrics(const char *name, const Metrics *metrics) {
    printf("%s: %zu users\n", name, metrics->users);
    for (size_t i = 0; i < metrics->cutoffs.count; i++)
        printf("  HR@%-4u %.4f   NDCG@%-4u %.4f\n", metrics->cutoffs.k[i], metrics->hr[i],
               metrics->cutoffs.k[i], metrics->ndcg[i]);
}

static bool print_figures(const Evaluation *evaluation, Error *error) {
    const size_t users = evaluation->behaviours.user_count;
    bool *cold_targets = split_cold_targets(&evaluation->behaviours, evaluation->split, error);
    if (!cold_targets) return false;
    const Metrics all = metrics_compute(&evaluation->cutoffs, evaluation->ranks, users, NULL, false);
    const Metrics cold = metrics_compute(&evaluation->cutoffs, evaluation->ranks, users, cold_targets, true);
    const Metrics warm = metrics_compute(&evaluation->cutoffs, evaluation->ranks, users, cold_targets, false);
    free(cold_targets);
    if (evaluation->request->json) {
        json_t *object = describe_json(evaluation, &all, &cold, &warm);
        json_dumpf(object, stdout, JSON_REAL_PRECISION(10));
        putchar('\n');
        json_decref(object);
    } else {
        printf("%u candidates\n", evaluation->candidates);
        print_metrics(split_name(evaluation->split), &all);
        if (evaluation->request->cold) {
            print_metrics("cold targets", &cold);
            print_metrics("warm targets", &warm);
        }
    }
    return !fflush(stdout) || error_set_errno(error, "cannot write standard output");
}

static bool run(Evaluation *evaluation, Error *error) {
    const EvaluationRequest *request = evaluation->request;
    if (!cutoffs_parse(&evaluation->cutoffs, request->cutoffs, error)) return error_prefix(error, "--k: ");
    split_from_name(request->split, &evaluation->split);
    evaluation->settings = settings_default;
    if ((request->model && !load_model(evaluation, error)) || !read_items(evaluation, error) ||
        !read_behaviours(evaluation, error))
        return false;
    evaluation->ranks = memory_need(evaluation->behaviours.user_count, sizeof(double));
    const bool ranked = request->baseline
                            ? baseline_ranks(request->baseline, &evaluation->behaviours, evaluation->split,
                                             evaluation->candidates, evaluation->ranks, error)
                            : rank_by_model(evaluation, error);
    return ranked && write_ranks(evaluation, error) && print_figures(evaluation, error);
}

bool evaluate(const EvaluationRequest *request, Error *error) {
    Evaluation *evaluation = memory_need(1, sizeof *evaluation);
    evaluation->request = request;
    const bool fine = run(evaluation, error);
    recommender_destroy(evaluation->recommender);
    if (evaluation->has_vectors) feature_store_free(&evaluation->vectors);
    if (evaluation->catalogue.names) catalogue_free(&evaluation->catalogue);
    if (evaluation->has_behaviours) behaviours_free(&evaluation->behaviours);
    free(evaluation->ranks);
    free(evaluation);
    return fine;
}

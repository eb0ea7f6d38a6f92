#include "eval/evaluation.h"

#include "core/file.h"
#include "core/log.h"
#include "core/memory.h"
#include "core/ranks_agree.h"
#include "eval/baselines.h"
#include "eval/metrics.h"
#include "eval/ranker.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct Evaluation {
    const EvaluationRequest *request;
    Ranker ranker;
    Behaviours behaviours;
    uint32_t candidates;
    double *ranks;
} Evaluation;

static bool read_behaviours(Evaluation *evaluation, Error *error) {
    const EvaluationRequest *request = evaluation->request;
    const Settings *settings = &evaluation->ranker.settings;
    const BehavioursOptions options = {
        .min_seq_len = (uint32_t)(request->min_seq_len ? request->min_seq_len : settings->min_seq_len),
        .unknown = request->unknown_items,
        .max_seq_len = ranker_max_seq_len(&evaluation->ranker, request->max_seq_len, error)};
    char text[512];
    if (!options.max_seq_len || !behaviours_read(&evaluation->behaviours, request->users,
                                                 ranker_item_names(&evaluation->ranker), &options, error))
        return false;
    evaluation->candidates = strcmp(request->candidates, "all") ? evaluation->behaviours.item_count
                                                                : evaluation->behaviours.known_count;
    behaviours_describe(&evaluation->behaviours, text, sizeof text);
    log_report("%s", text);
    return true;
}

static bool rank(Evaluation *evaluation, Error *error) {
    const EvaluationRequest *request = evaluation->request;
    const Behaviours *behaviours = &evaluation->behaviours;
    evaluation->ranks = memory_need(behaviours->user_count, sizeof(double));
    if (request->baseline)
        return baseline_ranks(request->baseline, behaviours, evaluation->request->split,
                              evaluation->candidates, evaluation->ranks, error);
    const Scorer scorer = ranker_scorer(&evaluation->ranker, behaviours->item_rows);
    size_t *shares = memory_need((size_t)request->processes->count + 1, sizeof *shares);
    ranks_share(request->processes, behaviours->user_count, shares);
    const size_t first = shares[request->processes->rank];
    const UserChoice users = {.behaviours = behaviours,
                              .split = request->split,
                              .first = first,
                              .count = shares[request->processes->rank + 1] - first};
    const bool fine =
        scorer_ranks(&scorer, &users, evaluation->candidates, evaluation->ranks + first, error) ||
        error_prefix(error, "%s over %s: ", request->model, request->items);
    if (fine) ranks_gather(request->processes, shares, sizeof *evaluation->ranks, evaluation->ranks);
    free(shares);
    return fine;
}

static void write_ranks(const Evaluation *evaluation, FILE *stream) {
    for (size_t i = 0; i < evaluation->behaviours.user_count; i++) {
        size_t size;
        const char *name = behaviours_user_name(&evaluation->behaviours, i, &size);
        fwrite(name, 1, size, stream);
        fprintf(stream, "\t%.10g\n", evaluation->ranks[i]);
    }
}

static void add_json(json_t *object, const Metrics *metrics) {
    json_t *values = metrics_json(metrics);
    json_object_update(object, values);
    json_decref(values);
}

static json_t *describe_json(const Evaluation *evaluation, const Metrics *all, const Metrics *cold,
                             const Metrics *warm) {
    json_t *object = json_object();
    json_object_set_new(object, "split", json_string(split_name(evaluation->request->split)));
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
    if (!metrics->users) return;
    for (size_t i = 0; i < metrics->cutoffs.count; i++)
        printf("  HR@%-4u %.4f   NDCG@%-4u %.4f\n", metrics->cutoffs.k[i], metrics->hr[i],
               metrics->cutoffs.k[i], metrics->ndcg[i]);
}

static bool print_figures(const Evaluation *evaluation, Error *error) {
    const size_t users = evaluation->behaviours.user_count;
    bool *cold_targets = split_cold_targets(&evaluation->behaviours, evaluation->request->split, error);
    if (!cold_targets) return false;
    const Metrics all = metrics_compute(&evaluation->request->cutoffs, evaluation->ranks, users, NULL, false);
    const Metrics cold =
        metrics_compute(&evaluation->request->cutoffs, evaluation->ranks, users, cold_targets, true);
    const Metrics warm =
        metrics_compute(&evaluation->request->cutoffs, evaluation->ranks, users, cold_targets, false);
    free(cold_targets);
    if (evaluation->request->json) {
        json_t *object = describe_json(evaluation, &all, &cold, &warm);
        json_dumpf(object, stdout, JSON_REAL_PRECISION(10));
        putchar('\n');
        json_decref(object);
    } else {
        printf("%u candidates\n", evaluation->candidates);
        print_metrics(split_name(evaluation->request->split), &all);
        if (evaluation->request->cold) {
            print_metrics("cold targets", &cold);
            print_metrics("warm targets", &warm);
        }
    }
    return standard_output_finish(error);
}

/* The file of ranks is whole before the figures are printed, and appears when they are. */
static bool report(const Evaluation *evaluation, Error *error) {
    const char *path = evaluation->request->ranks;
    if (!path) return print_figures(evaluation, error);
    OutputFile *file = output_file_open(path, error);
    if (!file) return false;
    write_ranks(evaluation, output_file_stream(file));
    if (output_file_flush(file, error) && print_figures(evaluation, error))
        return output_file_commit(file, error);
    output_file_abandon(file);
    return false;
}

static void add(json_t *object, const char *name, const json_t *content) {
    if (content) json_object_set(object, name, (json_t *)content);
}

/* All ranks must be asked the same about the same. */
static bool agree(const Evaluation *evaluation, Error *error) {
    const Ranker *ranker = &evaluation->ranker;
    json_t *own = json_copy(evaluation->request->options);
    add(own, "model", ranker->model.content);
    add(own, "items", ranker->vectors.content);
    add(own, "catalog", ranker->catalogue.content);
    add(own, "users", evaluation->behaviours.content);
    const bool fine = ranks_agree(evaluation->request->processes, own, error);
    json_decref(own);
    return fine;
}

static bool run(Evaluation *evaluation, Error *error) {
    const EvaluationRequest *request = evaluation->request;
    const RankerFiles files = {.model = request->model,
                               .items = request->items,
                               .catalog = request->catalog,
                               .device = request->device,
                               .any_model = request->any_model};
    return ranker_open(&evaluation->ranker, &files, error) && read_behaviours(evaluation, error) &&
           agree(evaluation, error) && rank(evaluation, error) &&
           (!ranks_writes(request->processes) || report(evaluation, error));
}

bool evaluate(const EvaluationRequest *request, Error *error) {
    Evaluation *evaluation = memory_need(1, sizeof *evaluation);
    evaluation->request = request;
    const bool fine = run(evaluation, error);
    ranker_close(&evaluation->ranker);
    behaviours_free(&evaluation->behaviours);
    free(evaluation->ranks);
    free(evaluation);
    return fine;
}

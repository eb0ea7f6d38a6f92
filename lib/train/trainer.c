#include "train/trainer.h"

#include "core/log.h"
#include "core/memory.h"
#include "core/progress.h"
#include "data/batch.h"
#include "eval/metrics.h"
#include "eval/scorer.h"
#include "train/checkpoint.h"
#include "train/schedule.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

/* Streams of the seed. */
enum { STREAM_ORDER = 1, STREAM_DROPOUT, STREAM_CORRUPTION };

static double or_else(double value, double otherwise) {
    return isnan(value) ? otherwise : value;
}

static void fill_popularity(Trainer *trainer, const double *popularity) {
    const size_t count = trainer->behaviours->known_count + 1;
    trainer->popularity = memory_need(count, sizeof(float));
    for (size_t i = 0; i < count; i++)
        trainer->popularity[i] = (float)popularity[i];
}

bool trainer_create(Trainer *trainer, Recommender *recommender, const Behaviours *behaviours,
                    const ItemSource *source, const TrainerOptions *options, Error *error) {
    const Settings *settings = &recommender->settings;
    *trainer = (Trainer){
        .recommender = recommender, .behaviours = behaviours, .source = source, .options = *options};
    const Backend *backend = backend_find(settings->device, settings->dtype, error);
    double *popularity = backend ? split_popularity(behaviours, error) : NULL;
    if (!popularity) return false;
    fill_popularity(trainer, popularity);
    free(popularity);
    trainer->tape = tape_create(backend, true);
    trainer->inference = tape_create(backend, false);
    trainer->rates[GROUP_TEXT] = (GroupRate){or_else(settings->text_lr, settings->lr), 0};
    trainer->rates[GROUP_IMAGE] = (GroupRate){or_else(settings->image_lr, settings->lr), 0};
    trainer->rates[GROUP_REST] = (GroupRate){settings->lr, settings->weight_decay};
    parameter_set_move(recommender->parameters, backend);
    parameter_set_make_trainable(recommender->parameters);
    optimizer_create(&trainer->optimizer, recommender->parameters);
    uint64_t log_size = 0;
    if (checkpoint_read(trainer, &log_size, error) &&
        (trainer->log = training_log_open(options->log, log_size, error)))
        return true;
    trainer_free(trainer);
    return false;
}

void trainer_free(Trainer *trainer) {
    Error ignored;
    if (trainer->log) training_log_close(trainer->log, &ignored);
    parameter_set_free_copy(trainer->recommender->parameters, trainer->best_values);
    json_decref(trainer->best_valid);
    free(trainer->popularity);
    optimizer_free(&trainer->optimizer);
    tape_destroy(trainer->tape);
    tape_destroy(trainer->inference);
    *trainer = (Trainer){0};
}

/* The rows without the last item of each, as inputs. */
static UserRows rows_to_inputs(Tape *tape, const TrainingRows *rows, size_t max_seq_len) {
    size_t *offsets = arena_take(tape->arena, rows->users + 1, sizeof *offsets);
    uint32_t *inputs = arena_take(tape->arena, segments_rows(rows->rows), sizeof *inputs);
    offsets[0] = 0;
    for (size_t user = 0; user < rows->users; user++) {
        const size_t length = segments_length(rows->rows, user), count = length ? length - 1 : 0;
        memcpy(inputs + offsets[user], rows->items + rows->rows.offsets[user], count * sizeof *inputs);
        offsets[user + 1] = offsets[user] + count;
    }
    return (UserRows){{rows->users, offsets}, inputs, (uint32_t)rows->distinct, max_seq_len};
}

static TrainingRows batch_rows(const Trainer *trainer, const Batch *batch) {
    float *popularity = arena_take(trainer->tape->arena, batch->distinct_count, sizeof *popularity);
    for (size_t i = 0; i < batch->distinct_count; i++)
        popularity[i] = trainer->popularity[batch->distinct[i]];
    return (TrainingRows){batch->user_count,
                          {batch->user_count, batch->offsets},
                          batch->indices,
                          batch->distinct_count,
                          popularity};
}

static bool needs_corruption(const Recommender *recommender) {
    for (size_t i = 0; i < recommender->objective.count; i++)
        if (recommender->objective.kinds[i]->needs_corruption) return true;
    return false;
}

/* Adds what the user encoder makes of a corrupted copy of the inputs. */
static void add_corrupted(const Trainer *trainer, ObjectiveInput *input) {
    const Settings *settings = &trainer->recommender->settings;
    const size_t positions = segments_rows(input->inputs->inputs);
    uint32_t *rows = arena_take(trainer->tape->arena, positions, sizeof *rows);
    uint32_t *corruption = arena_take(trainer->tape->arena, positions, sizeof *corruption);
    Random random;
    random_seed(&random, random_hash((uint64_t)settings->seed, STREAM_CORRUPTION), trainer->step);
    objective_corrupt(input->inputs, input->rows->distinct, settings, &random, rows, corruption);
    UserRows corrupted = *input->inputs;
    corrupted.rows = rows;
    input->corruption = corruption;
    input->corrupted_hidden =
        recommender_users(trainer->recommender, trainer->tape, input->items, &corrupted);
}

/* The losses of a batch, each by its part of the objective (NULL where it has nothing), and their weighted
 * sum; NULL when no part has anything. */
static Tensor *batch_losses(const Trainer *trainer, const Batch *batch,
                            Tensor *losses[OBJECTIVE_MOST_PARTS]) {
    const Recommender *recommender = trainer->recommender;
    const ObjectiveParts *objective = &recommender->objective;
    Tape *tape = trainer->tape;
    ItemBatch features;
    ItemTokens tokens;
    item_source_gather(trainer->source, tape, batch->distinct, batch->distinct_count, &features);
    Tensor *items =
        recommender_items(recommender, tape, &features, recommender_sees_padding(recommender), &tokens);
    const TrainingRows rows = batch_rows(trainer, batch);
    const UserRows inputs = rows_to_inputs(tape, &rows, (size_t)recommender->settings.max_seq_len);
    ObjectiveInput input = {.settings = &recommender->settings,
                            .rows = &rows,
                            .inputs = &inputs,
                            .tokens = &tokens,
                            .items = items,
                            .hidden = recommender_users(recommender, tape, items, &inputs)};

    if (needs_corruption(recommender)) add_corrupted(trainer, &input);

    Tensor *present[OBJECTIVE_MOST_PARTS];
    double weights[OBJECTIVE_MOST_PARTS];
    size_t count = 0;
    for (size_t i = 0; i < objective->count; i++) {
        losses[i] = objective->kinds[i]->loss(recommender->objective_modules[i], tape, &input);
        if (!losses[i]) continue;
        present[count] = losses[i];
        weights[count++] = objective->weights[i];
    }
    return count ? weighted_sum(tape, present, weights, count) : NULL;
}

static bool log_step(Trainer *trainer, double loss, Tensor *const losses[OBJECTIVE_MOST_PARTS],
                     Error *error) {
    const ObjectiveParts *objective = &trainer->recommender->objective;
    json_t *line = json_pack("{s:I, s:I, s:f}", "step", (json_int_t)trainer->step, "epoch",
                             (json_int_t)trainer->epoch + 1, "loss", loss);
    for (size_t i = 0; objective->count > 1 && i < objective->count; i++)
        if (losses[i])
            json_object_set_new(line, objective->kinds[i]->name,
                                json_real((double)*tape_read(trainer->tape, losses[i])));
    return training_log_write(trainer->log, line, error);
}

static void move_parameters(Trainer *trainer, double factor, size_t batches) {
    ParameterSet *set = trainer->recommender->parameters;
    GroupRate rates[GROUP_COUNT];
    for (size_t i = 0; i < GROUP_COUNT; i++)
        rates[i] = (GroupRate){trainer->rates[i].learning_rate * factor, trainer->rates[i].weight_decay};
    optimizer_step(&trainer->optimizer, set, rates, 1 / (double)batches, trainer->recommender->settings.clip);
    parameter_set_clear_gradients(set);
}

/* One batch forward and backward. *loss is NaN when it gave none. */
static bool train_batch(Trainer *trainer, const Batch *batch, double *loss, Error *error) {
    const uint64_t seed = (uint64_t)trainer->recommender->settings.seed;
    Tensor *losses[OBJECTIVE_MOST_PARTS] = {0};
    *loss = NAN;
    if (!batch->step_count) return true;
    tape_reset(trainer->tape, random_hash(random_hash(seed, STREAM_DROPOUT), trainer->step));
    Tensor *total = batch_losses(trainer, batch, losses);
    if (!total) return true;
    trainer->step++;
    *loss = (double)*tape_read(trainer->tape, total);
    if (!isfinite(*loss)) {
        trainer->diverged = true;
        return true;
    }
    tape_backward(trainer->tape, total);
    return log_step(trainer, *loss, losses, error);
}

static bool train_epoch(Trainer *trainer, double *mean_loss, Error *error) {
    const Settings *settings = &trainer->recommender->settings;
    const double factor =
        schedule_factor(settings->schedule, trainer->epoch, settings->epochs, settings->schedule_gap);
    Batches batches;
    Batch batch = {0};
    Random random;
    Progress progress;
    if (!batches_create(&batches, trainer->behaviours, SPLIT_TRAIN, (uint32_t)settings->batch_size, error))
        return false;
    random_seed(&random, random_hash((uint64_t)settings->seed, STREAM_ORDER), (uint64_t)trainer->epoch);
    batches_shuffle(&batches, &random);
    const size_t count = batches_count(&batches);
    progress_start(&progress, "batches", count);
    double total = 0;
    size_t losses = 0, waiting = 0;
    bool fine = true;
    for (size_t i = 0; fine && !trainer->diverged && i < count; i++) {
        double loss;
        batch_fill(&batch, &batches, i);
        fine = train_batch(trainer, &batch, &loss, error);
        if (!fine || trainer->diverged) break;
        if (!isnan(loss)) {
            total += loss;
            losses++;
            waiting++;
        }
        if (waiting && (waiting == (size_t)settings->accumulate || i + 1 == count)) {
            move_parameters(trainer, factor, waiting);
            waiting = 0;
        }
        progress_update(&progress, i + 1);
    }
    progress_finish(&progress);
    batch_free(&batch);
    batches_free(&batches);
    *mean_loss = losses ? total / (double)losses : NAN;
    return fine;
}

static bool validate(Trainer *trainer, Metrics *metrics, Error *error) {
    const Behaviours *behaviours = trainer->behaviours;
    const Recommender *recommender = trainer->recommender;
    const size_t dim = (size_t)recommender->settings.dim;
    const Cutoffs cutoffs = {3, {10, 5, 20}};
    float *vectors = memory_allocate((size_t)behaviours->item_count + 1, dim * sizeof *vectors, error);
    double *ranks = memory_need(behaviours->user_count, sizeof *ranks);
    bool fine = vectors != NULL;
    if (fine) {
        item_source_encode(trainer->source, recommender, trainer->inference, behaviours->item_count, vectors);
        const Scorer scorer = {recommender, trainer->inference, {dim, .padding = vectors, .array = vectors}};
        const UserChoice users = {
            .behaviours = behaviours, .split = SPLIT_VALID, .count = behaviours->user_count};
        fine = scorer_ranks(&scorer, &users, behaviours->item_count, ranks, error);
    }
    if (fine) *metrics = metrics_compute(&cutoffs, ranks, behaviours->user_count, NULL, false);
    free(vectors);
    free(ranks);
    return fine;
}

static void keep_best(Trainer *trainer, const Metrics *metrics, json_t *valid) {
    const ParameterSet *set = trainer->recommender->parameters;
    if (trainer->best_epoch && metrics->hr[0] <= trainer->best) return;
    trainer->best = metrics->hr[0];
    trainer->best_epoch = trainer->epoch;
    json_decref(trainer->best_valid);
    trainer->best_valid = json_incref(valid);
    if (trainer->options.keep_last) return;
    trainer->best_values = parameter_set_copy(set, trainer->best_values);
}

static bool finish_epoch(Trainer *trainer, double loss, Error *error) {
    Metrics metrics;
    if (!validate(trainer, &metrics, error)) return false;
    trainer->epoch++;
    json_t *valid = metrics_json(&metrics);
    keep_best(trainer, &metrics, valid);
    log_report("epoch %" PRId64 ": loss %.4f, validation HR@10 %.4f, NDCG@10 %.4f%s", trainer->epoch, loss,
               metrics.hr[0], metrics.ndcg[0],
               trainer->best_epoch == trainer->epoch ? ", the best so far" : "");
    json_t *line = json_pack("{s:I, s:o, s:o}", "epoch", (json_int_t)trainer->epoch, "mean_loss",
                             isnan(loss) ? json_null() : json_real(loss), "valid", valid);
    return training_log_write(trainer->log, line, error) && checkpoint_write(trainer, error);
}

static bool report_divergence(const Trainer *trainer, Error *error) {
    if (!trainer->best_values)
        return error_set(error,
                         "the loss of step %" PRIu64
                         " is not finite, and there is no earlier epoch to keep; try a "
                         "lower --lr",
                         trainer->step);
    log_warning("the loss of step %" PRIu64 " is not finite; training ends, and the model of epoch %" PRId64
                " is kept; try a lower --lr",
                trainer->step, trainer->best_epoch);
    return true;
}

bool trainer_run(Trainer *trainer, Error *error) {
    const Settings *settings = &trainer->recommender->settings;
    while (trainer->epoch < settings->epochs) {
        double loss;
        if (settings->patience && trainer->epoch - trainer->best_epoch >= settings->patience) break;
        if (!train_epoch(trainer, &loss, error)) return false;
        if (trainer->diverged) break;
        if (!finish_epoch(trainer, loss, error)) return false;
    }
    TrainingLog *log = trainer->log;
    trainer->log = NULL;
    if (!training_log_close(log, error)) return false;
    if (trainer->diverged && !report_divergence(trainer, error)) return false;
    if (trainer->best_values) parameter_set_restore(trainer->recommender->parameters, trainer->best_values);
    return true;
}

#include "train/trainer.h"

#include "core/finite.h"
#include "core/interrupt.h"
#include "core/log.h"
#include "core/memory.h"
#include "core/parallel.h"
#include "nn/exchange.h"
#include "train/checkpoint.h"
#include "train/gradients.h"
#include "train/schedule.h"
#include "train/seed.h"
#include "train/shares.h"
#include "train/step.h"
#include "train/validation.h"

#include <inttypes.h>
#include <math.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Between checkpoints of a long epoch. */
static const double CHECKPOINT_SECONDS = 600;

static double or_else(double value, double otherwise) {
    return isnan(value) ? otherwise : value;
}

static void fill_popularity(Trainer *trainer, const double *popularity) {
    const size_t count = trainer->behaviours->known_count + 1;
    trainer->popularity = memory_need(count, sizeof(float));
    for (size_t i = 0; i < count; i++)
        trainer->popularity[i] = (float)popularity[i];
}

/* A card clears and sums up a whole table in less time than it takes to tell it the rows. */
static void follow_table(Parameter *table, const Settings *settings, const Backend *backend) {
    if (settings->sparse_updates)
        parameter_update_by_rows(table);
    else if (backend->is_host)
        parameter_follow_rows(table);
}

bool trainer_create(Trainer *trainer, Recommender *recommender, const Behaviours *behaviours,
                    const ItemSource *source, const TrainerOptions *options, Error *error) {
    const Settings *settings = &recommender->settings;
    *trainer = (Trainer){
        .recommender = recommender, .behaviours = behaviours, .source = source, .options = *options};
    const Backend *backend = backend_find(settings->device, settings->dtype, error);
    double *popularity = backend ? split_popularity(behaviours, error) : NULL;
    if (!popularity) return false;
    exchange_open(options->ranks, backend);
    fill_popularity(trainer, popularity);
    free(popularity);
    trainer->tape = tape_create(backend, true);
    trainer->inference = tape_create(backend, false);
    trainer->numerics =
        (Numerics){.behaviours = behaviours, .source = source, .rank = ranks_name(options->ranks)};
    if (options->check_numerics) {
        numerics_watch(&trainer->numerics, trainer->tape);
        numerics_watch(&trainer->numerics, trainer->inference);
    }
    trainer->rates[GROUP_TEXT] = (GroupRate){or_else(settings->text_lr, settings->lr), 0};
    trainer->rates[GROUP_IMAGE] = (GroupRate){or_else(settings->image_lr, settings->lr), 0};
    trainer->rates[GROUP_REST] = (GroupRate){settings->lr, settings->weight_decay};
    parameter_set_move(recommender->parameters, backend);
    parameter_set_make_trainable(recommender->parameters);
    if (recommender->item_table) follow_table(recommender->item_table, settings, backend);
    optimizer_create(&trainer->optimizer, recommender->parameters);
    int64_t log_bytes = TRAINING_LOG_NEW;
    if (!validation_plan(&trainer->plan, settings, behaviours, error) ||
        !checkpoint_read(trainer, &log_bytes, error) ||
        !(trainer->log =
              training_log_open(ranks_writes(options->ranks) ? options->log : NULL, log_bytes, error))) {
        trainer_free(trainer);
        return false;
    }
    if (trainer->state.waiting) gradients_keep_once(trainer);
    trainer->saved_step = trainer->step;
    trainer->saved_time = progress_clock();
    if (options->checkpoint) interrupt_watch();
    return true;
}

void trainer_free(Trainer *trainer) {
    Error ignored;
    if (trainer->log) training_log_close(trainer->log, &ignored);
    parameter_set_free_copy(trainer->recommender->parameters, trainer->best.values);
    parameter_set_free_copy(trainer->recommender->parameters, trainer->last.values);
    json_decref(trainer->best.valid);
    free(trainer->popularity);
    validation_plan_free(&trainer->plan);
    optimizer_free(&trainer->optimizer);
    tape_destroy(trainer->tape);
    tape_destroy(trainer->inference);
    *trainer = (Trainer){0};
}

const KeptModel *trainer_kept(const Trainer *trainer) {
    return trainer->options.keep_last ? &trainer->last : &trainer->best;
}

void trainer_diverge(Trainer *trainer, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(trainer->divergence, sizeof trainer->divergence, format, arguments);
    va_end(arguments);
}

/* Rank 0 writes; none goes on before the state is on the disk. */
static bool save(Trainer *trainer, Error *error) {
    const Ranks *ranks = trainer->options.ranks;
    if (trainer->state.waiting && ranks->count > 1) {
        gradients_sum(trainer);
        gradients_keep_once(trainer);
    }
    if (ranks_writes(ranks) && !checkpoint_write(trainer, error)) return false;
    ranks_any(ranks, true);
    trainer->saved_step = trainer->step;
    trainer->saved_time = progress_clock();
    return true;
}

/* A signal to one rank is one to all. */
static bool is_interrupted(const Trainer *trainer) {
    const bool any = ranks_any(trainer->options.ranks, interrupt_noted());
    if (any && !interrupt_noted()) raise(SIGTERM);
    return any;
}

/* After a signal the state is put away, and the program ends as the signal asks. */
static void end_interrupted(const Trainer *trainer) {
    log_report("%s: stopped after step %" PRIu64 " of epoch %" PRId64 "; the same command goes on from %s",
               interrupt_name(), trainer->step, trainer->epoch + (trainer->state.batch > 0),
               trainer->options.checkpoint);
    interrupt_end();
}

static bool save_if_due(Trainer *trainer, Error *error) {
    const TrainerOptions *options = &trainer->options;
    if (!options->checkpoint) return true;
    const bool interrupted = is_interrupted(trainer);
    const bool enough = options->checkpoint_every &&
                        trainer->step - trainer->saved_step >= (uint64_t)options->checkpoint_every;
    const bool late = progress_clock() - trainer->saved_time >= CHECKPOINT_SECONDS;
    if (!interrupted && !enough && !ranks_any(options->ranks, late)) return true;
    if (!step_settle(trainer, error)) return false;
    if (*trainer->divergence) return true;
    if (!save(trainer, error)) return false;
    if (interrupted) end_interrupted(trainer);
    return true;
}

static uint64_t batches_an_epoch(const Trainer *trainer) {
    const int64_t size = trainer->recommender->settings.batch_size;
    return batches_count(&(Batches){.behaviours = trainer->behaviours, .batch_size = (uint32_t)size});
}

/* What the rates of an update in an epoch are multiplied with. */
static double rate_factor(const Trainer *trainer, int64_t epoch, uint64_t update) {
    const Settings *settings = &trainer->recommender->settings;
    const uint64_t accumulate = (uint64_t)settings->accumulate;
    const uint64_t an_epoch = (batches_an_epoch(trainer) + accumulate - 1) / accumulate;
    return schedule_factor(settings->schedule, epoch, settings->epochs, settings->schedule_gap) *
           warmup_factor(settings->warmup, update, an_epoch * (uint64_t)settings->epochs);
}

/* Fills a batch whose turn comes after the step that is computed meanwhile. */
static void prepare_batch(const Trainer *trainer, const Batches *batches, size_t number, Batch *batch) {
    const Ranks *ranks = trainer->options.ranks;
    batch_fill(batch, batches, number);
    const size_t first = ranks_first(ranks, ranks->rank, batch->distinct_count);
    item_source_want(trainer->source, batch->distinct + first,
                     ranks_first(ranks, ranks->rank + 1, batch->distinct_count) - first);
}

/* The batches of the epoch under way that are not done, one after the other. */
static bool train_batches(Trainer *trainer, const Batches *batches, Error *error) {
    const uint64_t accumulate = (uint64_t)trainer->recommender->settings.accumulate;
    const size_t count = batches_count(batches);
    EpochState *state = &trainer->state;
    Batch pair[2] = {0};
    bool fine = true;
    if (state->batch < count) batch_fill(&pair[state->batch % 2], batches, state->batch);
    while (fine && !*trainer->divergence && state->batch < count) {
        const size_t next = state->batch + 1;
        if (next < count) prepare_batch(trainer, batches, next, &pair[next % 2]);
        fine = step_run(trainer, &pair[state->batch % 2], error);
        if (!fine || *trainer->divergence) break;
        state->batch++;
        if (state->waiting && (state->waiting == accumulate || state->batch == count))
            fine = step_update(trainer, rate_factor(trainer, trainer->epoch, trainer->updates), error);
        if (fine && !*trainer->divergence) fine = save_if_due(trainer, error);
        progress_update(&trainer->progress, (uint64_t)trainer->epoch * count + state->batch);
    }
    for (int i = 0; i < 2; i++)
        batch_free(&pair[i]);
    return fine && (*trainer->divergence || step_settle(trainer, error));
}

static bool train_epoch(Trainer *trainer, Error *error) {
    const Settings *settings = &trainer->recommender->settings;
    Batches batches;
    Random random;
    if (!batches_create(&batches, trainer->behaviours, SPLIT_TRAIN, (uint32_t)settings->batch_size, error))
        return false;
    random_seed(&random, random_hash((uint64_t)settings->seed, SEED_ORDER), (uint64_t)trainer->epoch);
    batches_shuffle(&batches, &random);
    progress_describe(&trainer->progress, "epoch %" PRId64 " of %" PRId64, trainer->epoch + 1,
                      settings->epochs);
    const bool fine = train_batches(trainer, &batches, error);
    progress_finish(&trainer->progress);
    batches_free(&batches);
    return fine;
}

/* The last update of an epoch has no loss after it that would show what it did. */
static void check_parameters(Trainer *trainer) {
    const ParameterSet *set = trainer->recommender->parameters;
    for (size_t i = 0; i < set->count && !*trainer->divergence; i++) {
        const Parameter *parameter = set->list[i];
        const float *values = parameter_set_read(set, 0, parameter->value, parameter->count);
        if (first_not_finite(values, parameter->count) != SIZE_MAX)
            trainer_diverge(trainer, "after step %" PRIu64 " %s is not finite", trainer->step,
                            parameter->name);
    }
}

static void keep_best(Trainer *trainer, double score, json_t *valid) {
    KeptModel *best = &trainer->best;
    if (best->epoch && score <= best->score) return;
    best->epoch = trainer->epoch;
    best->score = score;
    json_decref(best->valid);
    best->valid = json_incref(valid);
    if (!trainer->options.keep_last)
        best->values = parameter_set_copy(trainer->recommender->parameters, best->values);
}

static void keep_last(Trainer *trainer) {
    trainer->last.epoch = trainer->epoch;
    trainer->last.values = parameter_set_copy(trainer->recommender->parameters, trainer->last.values);
}

/* Of the last epoch, whatever --validate-every says, the score is known. */
static bool is_validated(const Trainer *trainer, int64_t epoch) {
    const Settings *settings = &trainer->recommender->settings;
    return epoch % settings->validate_every == 0 || epoch == settings->epochs;
}

static json_t *real_or_null(double total, uint64_t count) {
    return count ? json_real(total / (double)count) : json_null();
}

/* `valid` is the validation's metrics (stolen), or NULL. */
static bool log_epoch(Trainer *trainer, const EpochState *state, json_t *valid, Error *error) {
    const double rate = trainer->rates[GROUP_REST].learning_rate;
    const double factor =
        trainer->updates ? rate_factor(trainer, trainer->epoch - 1, trainer->updates - 1) : 0;
    json_t *line = json_pack("{s:I, s:o, s:f, s:o}", "epoch", (json_int_t)trainer->epoch, "mean_loss",
                             real_or_null(state->loss_total, state->losses), "lr", rate * factor,
                             "gradient_norm", real_or_null(state->norm_total, state->updates));
    if (valid) json_object_set_new(line, "valid", valid);
    return training_log_write(trainer->log, line, error);
}

static void report_epoch(const Trainer *trainer, const EpochState *state, const Metrics *metrics,
                         double seconds) {
    const Settings *settings = &trainer->recommender->settings;
    const bool is_best = trainer->best.epoch == trainer->epoch;
    char figures[256] = "", loss[32] = "none";
    if (state->losses) snprintf(loss, sizeof loss, "%.4f", state->loss_total / (double)state->losses);
    if (metrics) {
        const int used = snprintf(figures, sizeof figures, ", validation HR@10 %.4f, NDCG@10 %.4f",
                                  metrics->hr[0], metrics->ndcg[0]);
        if (trainer->plan.metric.cutoff != 10)
            snprintf(figures + used, sizeof figures - (size_t)used, ", %s %.4f", settings->metric,
                     validation_score(&trainer->plan, metrics));
    }
    log_report("epoch %" PRId64 " of %" PRId64 ": loss %s%s%s; %.3g s", trainer->epoch, settings->epochs,
               loss, figures, is_best ? ", the best so far" : "", seconds);
}

/* An epoch from which nothing can be learned, and the next ones would be like it. */
static void warn_of_nothing(const Trainer *trainer, const EpochState *state) {
    if (trainer->epoch > 1) return;
    if (!state->losses)
        log_warning(
            "no batch gives a loss: no user has two items to learn from, and the model stays as it is");
    else if (state->updates && state->norm_total == 0)
        log_warning(
            "all gradients are 0: no batch has an item that is not its user's own to compare with; a "
            "larger --batch-size, or more users, would give some");
}

/* What follows the batches of an epoch; `started` is when they began. */
static bool finish_epoch(Trainer *trainer, double started, Error *error) {
    const bool validated = is_validated(trainer, trainer->epoch + 1);
    const double trained = progress_clock(), exchanged = ranks_seconds() - trainer->exchanged;
    Metrics metrics;
    optimizer_settle(&trainer->optimizer, trainer->recommender->parameters);
    check_parameters(trainer);
    if (*trainer->divergence) return true;
    if (validated && !validation_run(trainer, &metrics, error)) return false;
    if (*trainer->divergence) return true;
    const EpochState state = trainer->state;
    const double end = progress_clock();
    json_t *valid = validated ? metrics_json(&metrics) : NULL;
    trainer->epoch++;
    trainer->state = (EpochState){0};
    if (validated) keep_best(trainer, validation_score(&trainer->plan, &metrics), valid);
    if (trainer->options.keep_last) keep_last(trainer);
    warn_of_nothing(trainer, &state);
    report_epoch(trainer, &state, validated ? &metrics : NULL, end - started);
    log_detail("training %.3g s, validation %.3g s; a step takes %zu MiB", trained - started, end - trained,
               (arena_peak(trainer->tape->arena) + arena_peak(trainer->tape->values)) >> 20);
    if (trainer->options.ranks->count > 1)
        log_detail("of training %.3g s went into exchanging with other ranks and waiting for them",
                   exchanged);
    if (!log_epoch(trainer, &state, valid, error)) return false;
    if (trainer->options.checkpoint && !save(trainer, error)) return false;
    if (is_interrupted(trainer)) end_interrupted(trainer);
    return true;
}

static bool log_divergence(Trainer *trainer, Error *error) {
    return training_log_write(trainer->log,
                              json_pack("{s:I, s:I, s:s}", "step", (json_int_t)trainer->step, "epoch",
                                        (json_int_t)trainer->epoch + 1, "diverged", trainer->divergence),
                              error);
}

static bool report_divergence(const Trainer *trainer, Error *error) {
    const KeptModel *kept = trainer_kept(trainer);
    if (!kept->epoch)
        return error_set(error, "%s, and there is no earlier epoch to keep; try a lower --lr",
                         trainer->divergence);
    log_warning("%s; training ends, and the model of epoch %" PRId64 ", the %s, is kept; try a lower --lr",
                trainer->divergence, kept->epoch, trainer->options.keep_last ? "last one" : "best so far");
    return true;
}

static bool is_over(const Trainer *trainer) {
    const Settings *settings = &trainer->recommender->settings;
    return *trainer->divergence || trainer->epoch >= settings->epochs ||
           (settings->patience && is_validated(trainer, trainer->epoch) &&
            trainer->epoch - trainer->best.epoch >= settings->patience);
}

/* How much is trained, what that takes beside the memory of a step, and by how many. */
static void describe_model(const Trainer *trainer) {
    const ParameterSet *set = trainer->recommender->parameters;
    const int processes = trainer->options.ranks->count;
    size_t count = 0;
    for (size_t i = 0; i < set->count; i++)
        count += set->list[i]->count;
    log_detail("%zu parameters in %zu tensors; %zu MiB with gradients, moments and the model that is kept",
               count, set->count, count * 5 * sizeof(float) >> 20);
    if (processes > 1) log_detail("%d processes, this one of %d threads", processes, parallel_threads());
}

static bool run_epochs(Trainer *trainer, Error *error) {
    const uint64_t batches = batches_an_epoch(trainer);
    const uint64_t all = batches * (uint64_t)trainer->recommender->settings.epochs;
    progress_start_at(&trainer->progress, "batches",
                      (uint64_t)trainer->epoch * batches + trainer->state.batch, all);
    while (!is_over(trainer)) {
        const double started = progress_clock();
        trainer->exchanged = ranks_seconds();
        if (!train_epoch(trainer, error)) return false;
        if (!*trainer->divergence && !finish_epoch(trainer, started, error)) return false;
    }
    return true;
}

bool trainer_run(Trainer *trainer, Error *error) {
    describe_model(trainer);
    if (!run_epochs(trainer, error)) return false;
    if (trainer->options.checkpoint) interrupt_release();
    if (*trainer->divergence && !log_divergence(trainer, error)) return false;
    TrainingLog *log = trainer->log;
    trainer->log = NULL;
    if (!training_log_close(log, error)) return false;
    if (*trainer->divergence && !report_divergence(trainer, error)) return false;
    const KeptModel *kept = trainer_kept(trainer);
    if (kept->values) parameter_set_restore(trainer->recommender->parameters, kept->values);
    validation_compare(trainer);
    exchange_close(trainer->tape->backend);
    return true;
}

#include "train/trainer.h"

#include "core/finite.h"
#include "core/interrupt.h"
#include "core/log.h"
#include "core/memory.h"
#include "core/progress.h"
#include "train/checkpoint.h"
#include "train/schedule.h"
#include "train/seed.h"
#include "train/step.h"
#include "train/validation.h"

#include <inttypes.h>
#include <math.h>
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
    int64_t log_bytes = TRAINING_LOG_NEW;
    if (!checkpoint_read(trainer, &log_bytes, error) ||
        !(trainer->log = training_log_open(options->log, log_bytes, error))) {
        trainer_free(trainer);
        return false;
    }
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

static bool save(Trainer *trainer, Error *error) {
    if (!checkpoint_write(trainer, error)) return false;
    trainer->saved_step = trainer->step;
    trainer->saved_time = progress_clock();
    return true;
}

/* After a signal the state is put away, and the program ends as the signal asks. */
static void end_if_interrupted(const Trainer *trainer) {
    if (!interrupt_noted()) return;
    log_report("%s: stopped after step %" PRIu64 " of epoch %" PRId64 "; the same command goes on from %s",
               interrupt_name(), trainer->step, trainer->epoch + (trainer->state.batch > 0),
               trainer->options.checkpoint);
    interrupt_end();
}

static bool save_if_due(Trainer *trainer, Error *error) {
    const TrainerOptions *options = &trainer->options;
    if (!options->checkpoint) return true;
    const bool due = interrupt_noted() || progress_clock() - trainer->saved_time >= CHECKPOINT_SECONDS ||
                     (options->checkpoint_every &&
                      trainer->step - trainer->saved_step >= (uint64_t)options->checkpoint_every);
    if (!due) return true;
    if (!save(trainer, error)) return false;
    end_if_interrupted(trainer);
    return true;
}

/* The batches of the epoch under way that are not done, one after the other. */
static bool train_batches(Trainer *trainer, const Batches *batches, double factor, Error *error) {
    const uint64_t accumulate = (uint64_t)trainer->recommender->settings.accumulate;
    const size_t count = batches_count(batches);
    EpochState *state = &trainer->state;
    Batch batch = {0};
    Progress progress;
    bool fine = true;
    progress_start(&progress, "batches", count);
    while (fine && !*trainer->divergence && state->batch < count) {
        batch_fill(&batch, batches, state->batch);
        fine = step_run(trainer, &batch, error);
        if (!fine || *trainer->divergence) break;
        state->batch++;
        if (state->waiting && (state->waiting == accumulate || state->batch == count))
            step_update(trainer, factor);
        if (!*trainer->divergence) fine = save_if_due(trainer, error);
        progress_update(&progress, state->batch);
    }
    progress_finish(&progress);
    batch_free(&batch);
    return fine;
}

static bool train_epoch(Trainer *trainer, Error *error) {
    const Settings *settings = &trainer->recommender->settings;
    const double factor =
        schedule_factor(settings->schedule, trainer->epoch, settings->epochs, settings->schedule_gap);
    Batches batches;
    Random random;
    if (!batches_create(&batches, trainer->behaviours, SPLIT_TRAIN, (uint32_t)settings->batch_size, error))
        return false;
    random_seed(&random, random_hash((uint64_t)settings->seed, SEED_ORDER), (uint64_t)trainer->epoch);
    batches_shuffle(&batches, &random);
    const bool fine = train_batches(trainer, &batches, factor, error);
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

static void keep(Trainer *trainer, double score, json_t *valid) {
    const ParameterSet *set = trainer->recommender->parameters;
    KeptModel *best = &trainer->best, *last = &trainer->last;
    if (!best->epoch || score > best->score) {
        best->epoch = trainer->epoch;
        best->score = score;
        json_decref(best->valid);
        best->valid = json_incref(valid);
        if (!trainer->options.keep_last) best->values = parameter_set_copy(set, best->values);
    }
    if (!trainer->options.keep_last) return;
    last->epoch = trainer->epoch;
    last->values = parameter_set_copy(set, last->values);
}

static bool finish_epoch(Trainer *trainer, Error *error) {
    const EpochState state = trainer->state;
    const double loss = state.losses ? state.loss_total / (double)state.losses : NAN;
    Metrics metrics;
    check_parameters(trainer);
    if (*trainer->divergence) return true;
    if (!validation_run(trainer, &metrics, error)) return false;
    if (*trainer->divergence) return true;
    trainer->epoch++;
    trainer->state = (EpochState){0};
    json_t *valid = metrics_json(&metrics);
    keep(trainer, metrics.hr[0], valid);
    log_report("epoch %" PRId64 ": loss %.4f, validation HR@10 %.4f, NDCG@10 %.4f%s", trainer->epoch, loss,
               metrics.hr[0], metrics.ndcg[0],
               trainer->best.epoch == trainer->epoch ? ", the best so far" : "");
    json_t *line = json_pack("{s:I, s:o, s:o}", "epoch", (json_int_t)trainer->epoch, "mean_loss",
                             isnan(loss) ? json_null() : json_real(loss), "valid", valid);
    if (!training_log_write(trainer->log, line, error)) return false;
    if (trainer->options.checkpoint && !save(trainer, error)) return false;
    end_if_interrupted(trainer);
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
           (settings->patience && trainer->epoch - trainer->best.epoch >= settings->patience);
}

bool trainer_run(Trainer *trainer, Error *error) {
    while (!is_over(trainer)) {
        if (!train_epoch(trainer, error)) return false;
        if (!*trainer->divergence && !finish_epoch(trainer, error)) return false;
    }
    if (*trainer->divergence && !log_divergence(trainer, error)) return false;
    TrainingLog *log = trainer->log;
    trainer->log = NULL;
    if (!training_log_close(log, error)) return false;
    if (*trainer->divergence && !report_divergence(trainer, error)) return false;
    const KeptModel *kept = trainer_kept(trainer);
    if (kept->values) parameter_set_restore(trainer->recommender->parameters, kept->values);
    return true;
}

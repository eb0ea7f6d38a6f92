#include "train/step.h"

#include "core/finite.h"
#include "core/random.h"
#include "train/gradients.h"
#include "train/seed.h"
#include "train/shares.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

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

/* Adds what the user encoder makes of a corrupted copy of the inputs, which is drawn for all users of the
 * batch. */
static void add_corrupted(const Trainer *trainer, const UserRows *all, ObjectiveInput *input) {
    const Settings *settings = &trainer->recommender->settings;
    const size_t positions = segments_rows(all->inputs);
    UserRows corrupted = *all;
    uint32_t *rows = arena_take(trainer->tape->arena, positions, sizeof *rows);
    uint32_t *corruption = arena_take(trainer->tape->arena, positions, sizeof *corruption);
    Random random;
    random_seed(&random, random_hash((uint64_t)settings->seed, SEED_CORRUPTION), trainer->step);
    objective_corrupt(all, input->rows->distinct, settings, &random, rows, corruption);
    corrupted.rows = rows;
    corrupted = shares_inputs(input->shares, &corrupted, trainer->tape);
    input->corruption = corruption + shares_first_position(input->shares, all);
    input->corrupted_hidden =
        recommender_users(trainer->recommender, trainer->tape, input->items, &corrupted);
}

/* The vectors of all items of the batch, of which this rank makes those of its share, and the tokens of
 * these. */
static Tensor *batch_items(Trainer *trainer, const Batch *batch, const BatchShares *shares,
                           ItemTokens *tokens) {
    const Recommender *recommender = trainer->recommender;
    const size_t rank = (size_t)shares->ranks->rank;
    const bool padding = recommender_sees_padding(recommender);
    ItemBatch features;
    item_source_gather(trainer->source, trainer->tape, batch->distinct + shares->items.offsets[rank],
                       segments_length(shares->items, rank), &features);
    numerics_share(&trainer->numerics, shares->users.offsets[rank], segments_length(shares->users, rank),
                   &features);
    Tensor *own = recommender_items(recommender, trainer->tape, &features,
                                    padding && rank + 1 == shares->items.count, tokens);
    return gather_ranks(trainer->tape, shares->ranks, own, shares_vectors(shares, padding, trainer->tape));
}

/* The losses of a batch, each by its part of the objective (NULL where it has nothing), and their weighted
 * sum; NULL when no part has anything. */
static Tensor *batch_losses(Trainer *trainer, const Batch *batch, Tensor *losses[OBJECTIVE_MOST_PARTS]) {
    const Recommender *recommender = trainer->recommender;
    const ObjectiveParts *objective = &recommender->objective;
    Tape *tape = trainer->tape;
    ItemTokens tokens;
    const TrainingRows rows = batch_rows(trainer, batch);
    const BatchShares shares = shares_of_batch(trainer, &rows);
    Tensor *items = batch_items(trainer, batch, &shares, &tokens);
    const UserRows all = rows_to_inputs(tape, &rows, (size_t)recommender->settings.max_seq_len);
    const UserRows inputs = shares_inputs(&shares, &all, tape);
    ObjectiveInput input = {.settings = &recommender->settings,
                            .shares = &shares,
                            .rows = &rows,
                            .inputs = &inputs,
                            .tokens = &tokens,
                            .items = items,
                            .hidden = recommender_users(recommender, tape, items, &inputs)};

    if (needs_corruption(recommender)) add_corrupted(trainer, &all, &input);

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

static bool log_step(Trainer *trainer, const double losses[OBJECTIVE_MOST_PARTS + 1], Error *error) {
    const ObjectiveParts *objective = &trainer->recommender->objective;
    json_t *line = json_pack("{s:I, s:I, s:f}", "step", (json_int_t)trainer->step, "epoch",
                             (json_int_t)trainer->epoch + 1, "loss", losses[OBJECTIVE_MOST_PARTS]);
    for (size_t i = 0; objective->count > 1 && i < objective->count; i++)
        if (!isnan(losses[i])) json_object_set_new(line, objective->kinds[i]->name, json_real(losses[i]));
    return training_log_write(trainer->log, line, error);
}

/* What an operator made that was not finite, if they are looked at; on any rank. */
static bool check_operators(Trainer *trainer) {
    if (!trainer->options.check_numerics) return true;
    if (*trainer->numerics.found)
        trainer_diverge(trainer, "step %" PRIu64 ": %s", trainer->step, trainer->numerics.found);
    shares_agree_on_divergence(trainer);
    return !*trainer->divergence;
}

/* By the first part of the objective that is not finite. */
static void diverge_by_loss(Trainer *trainer, const double sums[OBJECTIVE_MOST_PARTS + 1]) {
    const ObjectiveParts *objective = &trainer->recommender->objective;
    for (size_t i = 0; i < objective->count; i++)
        if (trainer->report.given[i] && !isfinite(sums[i])) {
            trainer_diverge(trainer, "the loss of step %" PRIu64 " (%s) is not finite", trainer->step,
                            objective->kinds[i]->name);
            return;
        }
    trainer_diverge(trainer, "the loss of step %" PRIu64 " is not finite", trainer->step);
}

static void diverge_by_gradient(Trainer *trainer) {
    const ParameterSet *set = trainer->recommender->parameters;
    const char *name = "all parameters";
    for (size_t i = 0; i < set->count; i++) { /* the last one is the nearest to the loss */
        const Parameter *parameter = set->list[i];
        if (!parameter->touched) continue;
        const float *gradient = parameter_set_read(set, 0, parameter->gradient, parameter->count);
        if (first_not_finite(gradient, parameter->count) != SIZE_MAX) name = parameter->name;
    }
    trainer_diverge(trainer, "the gradient of %s at step %" PRIu64 " is not finite", name, trainer->step);
}

/* ---- What a step found out ---- */

/* Lets the losses come. */
static void post_losses(Trainer *trainer, Tensor *const losses[OBJECTIVE_MOST_PARTS], const Tensor *total) {
    const MemoryKernels *memory = trainer->tape->backend->memory;
    const bool has_parts = trainer->recommender->objective.count > 1;
    StepReport *report = &trainer->report;
    *report = (StepReport){.has_losses = true};
    for (size_t i = 0; i < OBJECTIVE_MOST_PARTS; i++) {
        report->given[i] = losses[i] != NULL;
        if (losses[i] && has_parts) memory->post(sizeof(float), losses[i]->value, &report->losses[i]);
    }
    memory->post(sizeof(float), total->value, &report->losses[OBJECTIVE_MOST_PARTS]);
}

static bool settle_losses(Trainer *trainer, Error *error) {
    double sums[OBJECTIVE_MOST_PARTS + 1];
    shares_losses(trainer, sums);
    trainer->report.has_losses = false;
    if (!isfinite(sums[OBJECTIVE_MOST_PARTS])) {
        diverge_by_loss(trainer, sums);
        return true;
    }
    trainer->state.loss_total += sums[OBJECTIVE_MOST_PARTS];
    trainer->state.losses++;
    return log_step(trainer, sums, error);
}

static void settle_norm(Trainer *trainer) {
    const double norm = optimizer_norm(&trainer->optimizer);
    trainer->report.has_norm = false;
    if (!isfinite(norm)) {
        diverge_by_gradient(trainer);
        return;
    }
    trainer->state.norm_total += norm;
    trainer->state.updates++;
}

bool step_settle(Trainer *trainer, Error *error) {
    const StepReport *report = &trainer->report;
    if (!report->has_losses && !report->has_norm) return true;
    trainer->tape->backend->memory->collect();
    if (report->has_losses && !settle_losses(trainer, error)) return false;
    if (report->has_norm && !*trainer->divergence) settle_norm(trainer);
    return true;
}

/* Where nothing need be waited for. */
static bool settle_on_host(Trainer *trainer, Error *error) {
    return !trainer->tape->backend->is_host || step_settle(trainer, error);
}

/* ---- The step ---- */

bool step_run(Trainer *trainer, const Batch *batch, Error *error) {
    const uint64_t seed = (uint64_t)trainer->recommender->settings.seed;
    const uint64_t rank = (uint64_t)trainer->options.ranks->rank;
    Tensor *losses[OBJECTIVE_MOST_PARTS] = {0};
    if (!batch->step_count) return true;
    const uint64_t dropout = random_hash(random_hash(seed, SEED_DROPOUT), trainer->step);
    tape_reset(trainer->tape, rank ? random_hash(dropout, rank) : dropout);
    numerics_begin(&trainer->numerics, batch);
    Tensor *total = batch_losses(trainer, batch, losses);
    if (!total) return true;
    tape_send(trainer->tape);
    if (!step_settle(trainer, error)) return false; /* of the step before */
    if (*trainer->divergence) return true;
    trainer->step++;
    if (!check_operators(trainer)) return true;
    post_losses(trainer, losses, total);
    if (!trainer->state.waiting) parameter_set_clear_gradients(trainer->recommender->parameters);
    tape_backward(trainer->tape, total);
    if (!check_operators(trainer)) return true;
    trainer->state.waiting++;
    return settle_on_host(trainer, error);
}

bool step_update(Trainer *trainer, double factor, Error *error) {
    GroupRate rates[GROUP_COUNT];
    gradients_sum(trainer);
    for (size_t i = 0; i < GROUP_COUNT; i++)
        rates[i] = (GroupRate){trainer->rates[i].learning_rate * factor, trainer->rates[i].weight_decay};
    optimizer_step(&trainer->optimizer, trainer->recommender->parameters, rates,
                   1 / (double)trainer->state.waiting, trainer->recommender->settings.clip);
    trainer->report.has_norm = true;
    trainer->state.waiting = 0;
    trainer->updates++;
    return settle_on_host(trainer, error);
}

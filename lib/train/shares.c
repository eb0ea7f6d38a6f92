#include "train/shares.h"

#include "core/memory.h"
#include "nn/operators/row_lists.h"

#include <math.h>
#include <string.h>

static Segments share(Tape *tape, const Ranks *ranks, size_t total) {
    size_t *offsets = arena_take(tape->arena, (size_t)ranks->count + 1, sizeof *offsets);
    ranks_share(ranks, total, offsets);
    return (Segments){(size_t)ranks->count, offsets};
}

BatchShares shares_of_batch(const Trainer *trainer, const TrainingRows *rows) {
    const Ranks *ranks = trainer->options.ranks;
    return (BatchShares){ranks, share(trainer->tape, ranks, rows->distinct),
                         share(trainer->tape, ranks, rows->users)};
}

Segments shares_vectors(const BatchShares *shares, bool padding, Tape *tape) {
    const size_t count = shares->items.count;
    size_t *offsets = arena_take(tape->arena, count + 1, sizeof *offsets);
    memcpy(offsets, shares->items.offsets, (count + 1) * sizeof *offsets);
    offsets[count] += padding;
    return (Segments){count, offsets};
}

size_t shares_first_position(const BatchShares *shares, const UserRows *all) {
    return all->inputs.offsets[shares->users.offsets[shares->ranks->rank]];
}

UserRows shares_inputs(const BatchShares *shares, const UserRows *all, Tape *tape) {
    const size_t first = shares->users.offsets[shares->ranks->rank];
    const size_t users = segments_length(shares->users, (size_t)shares->ranks->rank);
    const size_t start = all->inputs.offsets[first];
    size_t *offsets = arena_take(tape->arena, users + 1, sizeof *offsets);
    for (size_t user = 0; user <= users; user++)
        offsets[user] = all->inputs.offsets[first + user] - start;
    UserRows own = *all;
    own.inputs = (Segments){users, offsets};
    own.rows = all->rows + start;
    return own;
}

void shares_losses(const Trainer *trainer, Tensor *const losses[OBJECTIVE_MOST_PARTS], const Tensor *total,
                   double sums[OBJECTIVE_MOST_PARTS + 1]) {
    const bool has_parts =
        trainer->recommender->objective.count > 1; /* or else a card need not be waited for */
    for (size_t i = 0; i < OBJECTIVE_MOST_PARTS; i++)
        sums[i] = has_parts && losses[i] ? (double)*tape_read(trainer->tape, losses[i]) : NAN;
    sums[OBJECTIVE_MOST_PARTS] = (double)*tape_read(trainer->tape, total);
    ranks_sum_doubles(trainer->options.ranks, OBJECTIVE_MOST_PARTS + 1, sums);
}

/* A parameter that any rank has touched is touched everywhere. */
static void agree_on_touched(const Trainer *trainer) {
    const ParameterSet *set = trainer->recommender->parameters;
    double *touched = memory_need(set->count, sizeof *touched);
    for (size_t i = 0; i < set->count; i++)
        touched[i] = set->list[i]->touched;
    ranks_sum_doubles(trainer->options.ranks, set->count, touched);
    for (size_t i = 0; i < set->count; i++)
        if (touched[i] > 0) parameter_gradient(set->list[i], set->backend);
    free(touched);
}

/* Values in the backend's memory become their sums. */
static void sum_values(const Trainer *trainer, size_t count, float *values) {
    const ParameterSet *set = trainer->recommender->parameters;
    if (set->backend->is_host) {
        ranks_sum(trainer->options.ranks, count, values);
        return;
    }
    float *sums = memory_need(count, sizeof *sums);
    memcpy(sums, parameter_set_read(set, 0, values, count), count * sizeof *sums);
    ranks_sum(trainer->options.ranks, count, sums);
    parameter_set_write(set, sums, count, values);
    free(sums);
}

/* A row that any rank has touched is touched everywhere. */
static void agree_on_rows(const Ranks *ranks, RowUpdates *updates) {
    const size_t count = (size_t)ranks->count, rank = (size_t)ranks->rank;
    size_t *one_each = memory_need(count + 1, sizeof *one_each);
    size_t *offsets = memory_need(count + 1, sizeof *offsets);
    for (size_t r = 0; r <= count; r++)
        one_each[r] = r;
    const uint32_t *own = row_updates_sort(updates, &offsets[rank + 1]);
    ranks_gather(ranks, one_each, sizeof *offsets, offsets + 1);
    for (size_t r = 0; r < count; r++)
        offsets[r + 1] += offsets[r];
    uint32_t *all = memory_need(offsets[count], sizeof *all);
    memcpy(all + offsets[rank], own, (offsets[rank + 1] - offsets[rank]) * sizeof *all);
    ranks_gather(ranks, offsets, sizeof *all, all);
    row_updates_touch(updates, all, offsets[count]);
    free(one_each);
    free(offsets);
    free(all);
}

/* The gradients of the rows that have one on some rank. */
static void sum_rows(const Trainer *trainer, const Parameter *parameter) {
    const RowKernels *kernels = trainer->tape->backend->rows;
    Tape *tape = trainer->tape;
    const size_t columns = parameter->columns;
    size_t count;
    agree_on_rows(trainer->options.ranks, parameter->row_updates);
    const uint32_t *rows = row_updates_sort(parameter->row_updates, &count);
    tape_reset(tape, 0); /* the step is over */
    const TargetLists lists = row_lists_create(tape, rows, count, -1);
    float *sums = tape_take(tape, count * columns, sizeof *sums);
    kernels->gather(count, columns, parameter->gradient, lists.lists.targets, sums);
    sum_values(trainer, count * columns, sums);
    kernels->fill(count, columns, lists.lists.targets, 0, parameter->gradient);
    kernels->scatter_add(columns, sums, &lists.lists, parameter->gradient, tape->values);
}

void shares_sum_gradients(const Trainer *trainer) {
    const ParameterSet *set = trainer->recommender->parameters;
    if (trainer->options.ranks->count == 1) return;
    agree_on_touched(trainer);
    for (size_t i = 0; i < set->count; i++) {
        const Parameter *parameter = set->list[i];
        if (!parameter->touched) continue;
        if (parameter->row_updates)
            sum_rows(trainer, parameter);
        else
            sum_values(trainer, parameter->count, parameter->gradient);
    }
}

void shares_keep_gradients_once(const Trainer *trainer) {
    if (!ranks_writes(trainer->options.ranks))
        parameter_set_clear_gradients(trainer->recommender->parameters);
}

/* What a rank found, after how many looks at operators (0 where nobody looks). */
typedef struct Finding {
    size_t looks;
    char text[sizeof(((Trainer *)NULL)->divergence)];
} Finding;

/* The one that was found first: what is not finite spreads to all ranks. */
static const Finding *first_finding(const Finding *findings, size_t count) {
    const Finding *first = NULL;
    for (size_t r = 0; r < count; r++)
        if (*findings[r].text && (!first || findings[r].looks < first->looks)) first = &findings[r];
    return first;
}

void shares_agree_on_divergence(Trainer *trainer) {
    const Ranks *ranks = trainer->options.ranks;
    const size_t count = (size_t)ranks->count;
    if (!ranks_any(ranks, *trainer->divergence)) return;
    size_t *offsets = memory_need(count + 1, sizeof *offsets);
    Finding *findings = memory_need(count, sizeof *findings), *own = &findings[ranks->rank];
    for (size_t r = 0; r <= count; r++)
        offsets[r] = r;
    own->looks = trainer->numerics.looks;
    memcpy(own->text, trainer->divergence, sizeof own->text);
    ranks_gather(ranks, offsets, sizeof *findings, findings);
    memcpy(trainer->divergence, first_finding(findings, count)->text, sizeof own->text);
    free(offsets);
    free(findings);
}

#include "train/shares.h"

#include "core/memory.h"

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
        if (touched[i] > 0) parameter_touch(set->list[i]);
    free(touched);
}

void shares_sum_gradients(const Trainer *trainer) {
    const Ranks *ranks = trainer->options.ranks;
    ParameterSet *set = trainer->recommender->parameters;
    if (ranks->count == 1) return;
    agree_on_touched(trainer);
    for (size_t i = 0; i < set->count; i++) {
        const Parameter *parameter = set->list[i];
        if (!parameter->touched) continue;
        float *sums = memory_need(parameter->count, sizeof *sums);
        memcpy(sums, parameter_set_read(set, 0, parameter->gradient, parameter->count),
               parameter->count * sizeof *sums);
        ranks_sum(ranks, parameter->count, sums);
        parameter_set_write(set, sums, parameter->count, parameter->gradient);
        free(sums);
    }
}

void shares_keep_gradients_once(const Trainer *trainer) {
    if (!ranks_writes(trainer->options.ranks))
        parameter_set_clear_gradients(trainer->recommender->parameters);
}

void shares_agree_on_divergence(Trainer *trainer) {
    const Ranks *ranks = trainer->options.ranks;
    enum { SIZE = sizeof trainer->divergence };
    if (!ranks_any(ranks, *trainer->divergence)) return;
    size_t *offsets = memory_need((size_t)ranks->count + 1, sizeof *offsets);
    char *all = memory_need((size_t)ranks->count, SIZE), *first = all;
    for (int r = 0; r <= ranks->count; r++)
        offsets[r] = (size_t)r;
    memcpy(all + ranks->rank * SIZE, trainer->divergence, SIZE);
    ranks_gather(ranks, offsets, SIZE, all);
    while (!*first)
        first += SIZE;
    memcpy(trainer->divergence, first, SIZE);
    free(offsets);
    free(all);
}

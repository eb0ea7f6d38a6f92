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

void shares_losses(const Trainer *trainer, double sums[OBJECTIVE_MOST_PARTS + 1]) {
    const StepReport *report = &trainer->report;
    const bool has_parts = trainer->recommender->objective.count > 1;
    for (size_t i = 0; i < OBJECTIVE_MOST_PARTS; i++)
        sums[i] = has_parts && report->given[i] ? (double)report->losses[i] : NAN;
    sums[OBJECTIVE_MOST_PARTS] = (double)report->losses[OBJECTIVE_MOST_PARTS];
    ranks_sum_doubles(trainer->options.ranks, OBJECTIVE_MOST_PARTS + 1, sums);
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

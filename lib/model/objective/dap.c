/* DAP: the next item, told from the other items of the batch with their popularity discounted. */
#include "model/objective/objective.h"

#include <math.h>

static Tensor *loss(const void *module, Tape *tape, const ObjectiveInput *input) {
    (void)module;
    const TrainingRows *rows = input->rows;
    const size_t positions = segments_rows(input->inputs->inputs), distinct = rows->distinct;
    const size_t first = objective_first_user(input), end = objective_end_user(input);
    const size_t all = objective_positions(input, positions);
    if (!all) return NULL;
    uint32_t *targets = arena_take(tape->arena, positions, sizeof *targets);
    uint32_t *users = arena_take(tape->arena, positions, sizeof *users);
    float *log_popularity = arena_take(tape->arena, distinct, sizeof(float));
    float *occurrences = arena_take_zeroed(tape->arena, distinct, sizeof(float));
    for (size_t c = 0; c < segments_rows(rows->rows); c++)
        occurrences[rows->items[c]] += 1;
    for (size_t user = first, p = 0; user < end; user++)
        for (size_t c = rows->rows.offsets[user]; c + 1 < rows->rows.offsets[user + 1]; c++) {
            targets[p] = rows->items[c + 1];
            users[p++] = (uint32_t)user;
        }
    for (size_t i = 0; i < distinct; i++) {
        occurrences[i] = logf(occurrences[i]);
        log_popularity[i] = logf(rows->popularity[i]);
    }
    /* The padding item, if it is there, is the last vector and no candidate. */
    Tensor *items = input->items;
    if (items->rows > distinct) {
        uint32_t *candidates = arena_take(tape->arena, distinct, sizeof *candidates);
        for (size_t i = 0; i < distinct; i++)
            candidates[i] = (uint32_t)i;
        items = gather_rows(tape, items, candidates, distinct);
    }
    const DebiasedTargets debiased = {positions,   targets,        users,      rows->rows,
                                      rows->items, log_popularity, occurrences};
    return objective_share(tape, debiased_cross_entropy(tape, input->hidden, items, &debiased), positions,
                           all);
}

const ObjectiveKind objective_dap = {.name = "dap", .loss = loss};

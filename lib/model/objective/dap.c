/* DAP: the next item, told from the other items of the batch with their popularity discounted. */
#include "model/objective/objective.h"

#include <math.h>

static Tensor *loss(const void *module, Tape *tape, const ObjectiveInput *input) {
    (void)module;
    const TrainingRows *rows = input->rows;
    const size_t positions = segments_rows(input->inputs->inputs), distinct = rows->distinct;
    if (!positions) return NULL;
    uint32_t *targets = arena_take(tape->arena, positions, sizeof *targets);
    uint32_t *users = arena_take(tape->arena, positions, sizeof *users);
    float *log_popularity = arena_take(tape->arena, distinct, sizeof(float));
    float *occurrences = arena_take_zeroed(tape->arena, distinct, sizeof(float));
    for (size_t user = 0, p = 0; user < rows->users; user++)
        for (size_t c = rows->rows.offsets[user]; c < rows->rows.offsets[user + 1]; c++) {
            occurrences[rows->items[c]] += 1;
            if (c + 1 == rows->rows.offsets[user + 1]) break;
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
        uint32_t *all = arena_take(tape->arena, distinct, sizeof *all);
        for (size_t i = 0; i < distinct; i++)
            all[i] = (uint32_t)i;
        items = gather_rows(tape, items, all, distinct);
    }
    return debiased_cross_entropy(
        tape, input->hidden, items,
        &(DebiasedTargets){positions, targets, users, rows->rows, rows->items, log_popularity, occurrences});
}

const ObjectiveKind objective_dap = {.name = "dap", .loss = loss};

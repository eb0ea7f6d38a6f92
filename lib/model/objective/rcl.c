/* RCL (PMMRec): a user's last hidden state belongs to that of his own corrupted row, among those of all
 * users. */
#include "model/objective/objective.h"

/* Each user's one candidate is his own; all the others are negatives. */
static ContrastivePairs pair(Tape *tape, size_t users) {
    float *weights = arena_take(tape->arena, users, sizeof *weights);
    uint32_t *own = arena_take(tape->arena, users, sizeof *own);
    size_t *one_each = arena_take(tape->arena, users + 1, sizeof *one_each);
    for (size_t i = 0; i < users; i++) {
        weights[i] = 1;
        own[i] = (uint32_t)i;
    }
    for (size_t i = 0; i <= users; i++)
        one_each[i] = i;
    const Segments segments = {users, one_each};
    const Segments none = {users, arena_take_zeroed(tape->arena, users + 1, sizeof(size_t))};
    return (ContrastivePairs){weights, own, segments, own, none, NULL, segments, own};
}

static Tensor *loss(const void *module, Tape *tape, const ObjectiveInput *input) {
    (void)module;
    const Segments inputs = input->inputs->inputs;
    uint32_t *last = arena_take(tape->arena, inputs.count, sizeof *last);
    size_t users = 0;
    for (size_t user = 0; user < inputs.count; user++)
        if (segments_length(inputs, user)) last[users++] = (uint32_t)(inputs.offsets[user + 1] - 1);
    if (!users) return NULL;
    Tensor *clean = normalise_rows(tape, gather_rows(tape, input->hidden, last, users));
    Tensor *corrupted = normalise_rows(tape, gather_rows(tape, input->corrupted_hidden, last, users));
    const ContrastivePairs pairs = pair(tape, users);
    return contrastive_loss(tape, clean, corrupted, input->settings->temperature, &pairs);
}

const ObjectiveKind objective_rcl = {.name = "rcl", .needs_corruption = true, .loss = loss};

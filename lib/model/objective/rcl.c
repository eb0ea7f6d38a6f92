/* RCL (PMMRec): a user's last hidden state belongs to that of his own corrupted row, among those of all
 * users. */
#include "model/objective/objective.h"

/* Each user's one candidate is his own, of which the first is `first`; all the others are negatives. */
static ContrastivePairs pair(Tape *tape, size_t users, size_t first, size_t candidates) {
    float *weights = arena_take(tape->arena, candidates, sizeof *weights);
    uint32_t *groups = arena_take(tape->arena, users, sizeof *groups);
    uint32_t *own = arena_take(tape->arena, users, sizeof *own);
    size_t *one_each = arena_take(tape->arena, users + 1, sizeof *one_each);
    for (size_t i = 0; i < candidates; i++)
        weights[i] = 1;
    for (size_t i = 0; i < users; i++) {
        groups[i] = (uint32_t)i;
        own[i] = (uint32_t)(first + i);
    }
    for (size_t i = 0; i <= users; i++)
        one_each[i] = i;
    const Segments segments = {users, one_each};
    const Segments none = {users, arena_take_zeroed(tape->arena, users + 1, sizeof(size_t))};
    return (ContrastivePairs){weights, groups, segments, own, none, NULL, segments, own};
}

/* By rank, the users with an input; here they are `own`. */
static Segments count_users(Tape *tape, const ObjectiveInput *input, size_t own) {
    const Segments users = input->shares ? input->shares->users : (Segments){.count = 1};
    size_t *offsets = arena_take(tape->arena, users.count + 1, sizeof *offsets);
    offsets[0] = 0;
    offsets[users.count] = own;
    for (size_t rank = 0; input->shares && rank < users.count; rank++) {
        offsets[rank + 1] = offsets[rank];
        for (size_t user = users.offsets[rank]; user < users.offsets[rank + 1]; user++)
            offsets[rank + 1] += segments_length(input->rows->rows, user) > 1;
    }
    return (Segments){users.count, offsets};
}

static Tensor *loss(const void *module, Tape *tape, const ObjectiveInput *input) {
    (void)module;
    const Segments inputs = input->inputs->inputs;
    uint32_t *last = arena_take(tape->arena, inputs.count, sizeof *last);
    size_t users = 0;
    for (size_t user = 0; user < inputs.count; user++)
        if (segments_length(inputs, user)) last[users++] = (uint32_t)(inputs.offsets[user + 1] - 1);
    const Segments all = count_users(tape, input, users);
    const size_t first = input->shares ? all.offsets[input->shares->ranks->rank] : 0;
    if (!segments_rows(all)) return NULL;
    Tensor *clean = normalise_rows(tape, gather_rows(tape, input->hidden, last, users));
    Tensor *corrupted = normalise_rows(tape, gather_rows(tape, input->corrupted_hidden, last, users));
    corrupted = objective_gather(tape, input, corrupted, all);
    const ContrastivePairs pairs = pair(tape, users, first, segments_rows(all));
    Tensor *mean = contrastive_loss(tape, clean, corrupted, input->settings->temperature, &pairs);
    return objective_share(tape, mean, users, segments_rows(all));
}

const ObjectiveKind objective_rcl = {.name = "rcl", .needs_corruption = true, .loss = loss};

/* What of a batch's losses is this rank's. */
#include "model/objective/objective.h"

size_t objective_first_user(const ObjectiveInput *input) {
    return input->shares ? input->shares->users.offsets[input->shares->ranks->rank] : 0;
}

size_t objective_end_user(const ObjectiveInput *input) {
    return input->shares ? input->shares->users.offsets[input->shares->ranks->rank + 1] : input->rows->users;
}

size_t objective_positions(const ObjectiveInput *input, size_t own) {
    if (!input->shares) return own;
    const Segments rows = input->rows->rows;
    size_t positions = 0;
    for (size_t user = 0; user < rows.count; user++)
        if (segments_length(rows, user)) positions += segments_length(rows, user) - 1;
    return positions;
}

Tensor *objective_gather(Tape *tape, const ObjectiveInput *input, Tensor *x, Segments rows) {
    return input->shares ? gather_ranks(tape, input->shares->ranks, x, rows) : x;
}

Tensor *objective_share(Tape *tape, Tensor *mean, size_t own, size_t all) {
    if (own == all) return mean;
    const double part = (double)own / (double)all;
    return weighted_sum(tape, &mean, &part, 1);
}

#include "nn/operators/operators.h"
#include "nn/operators/row_loss.h"

static void apply(Tape *tape, const void *loss, size_t rows, size_t first, size_t count, float share,
                  float *scores, double *losses) {
    tape->backend->losses->debiased(rows, first, count, share, loss, scores, losses);
}

Tensor *debiased_cross_entropy(Tape *tape, Tensor *hidden, Tensor *items, const DebiasedTargets *targets) {
    const size_t positions = targets->positions, distinct = items->rows * sizeof(float);
    const DebiasedLoss loss = {
        tape_upload_rows(tape, targets->targets, positions),
        tape_upload_rows(tape, targets->users, positions),
        tape_upload_offsets(tape, targets->rows),
        tape_upload_rows(tape, targets->own_items, segments_rows(targets->rows)),
        tape_upload(tape, targets->log_popularity, distinct),
        tape_upload(tape, targets->log_occurrences, distinct),
    };
    return tiled_loss(tape, hidden, items, apply, &loss);
}

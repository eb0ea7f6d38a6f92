#include "nn/operators/operators.h"
#include "nn/operators/row_loss.h"

static void apply(Tape *tape, const void *loss, size_t rows, size_t first, size_t count, float share,
                  float *scores, double *losses) {
    tape->backend->losses->contrastive(rows, first, count, share, loss, scores, losses, tape->values);
}

Tensor *contrastive_loss(Tape *tape, Tensor *anchors, Tensor *candidates, double temperature,
                         const ContrastivePairs *pairs) {
    ContrastiveLoss loss = {
        .scale = (float)(1 / temperature),
        .weights = tape_upload(tape, pairs->weights, candidates->rows * sizeof(float)),
        .groups = tape_upload_rows(tape, pairs->groups, anchors->rows),
        .group_offsets = tape_upload_offsets(tape, pairs->grouped),
        .group_candidates = tape_upload_rows(tape, pairs->grouped_candidates, segments_rows(pairs->grouped)),
        .excluded_offsets = tape_upload_offsets(tape, pairs->excluded),
        .excluded_candidates =
            tape_upload_rows(tape, pairs->excluded_candidates, segments_rows(pairs->excluded)),
        .positive_offsets = tape_upload_offsets(tape, pairs->positives),
        .positive_candidates =
            tape_upload_rows(tape, pairs->positive_candidates, segments_rows(pairs->positives)),
    };
    for (size_t i = 0; i < anchors->rows; i++)
        if (segments_length(pairs->positives, i) > loss.most_positives)
            loss.most_positives = segments_length(pairs->positives, i);
    return tiled_loss(tape, anchors, candidates, apply, &loss);
}

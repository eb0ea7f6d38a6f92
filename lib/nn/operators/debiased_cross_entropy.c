#include "nn/operators/operators.h"
#include "nn/operators/tiled_loss.h"
#include "nn/softmax.h"

static double position_loss(const void *context, size_t position, size_t items, float *scores,
                            float *scratch) {
    (void)scratch;
    const DebiasedTargets *targets = context;
    const uint32_t target = targets->targets[position], user = targets->users[position];
    const float *log_popularity = targets->log_popularity, *log_occurrences = targets->log_occurrences;
    const float own = scores[target] - log_popularity[target];
#pragma omp simd
    for (size_t c = 0; c < items; c++)
        scores[c] += log_occurrences[c] - log_popularity[c];
    for (size_t c = targets->rows.offsets[user]; c < targets->rows.offsets[user + 1]; c++)
        scores[targets->own_items[c]] = -INFINITY;
    scores[target] = own;
    const double log_total = softmax_in_place(scores, items);
    scores[target] -= 1;
    return log_total - (double)own;
}

Tensor *debiased_cross_entropy(Tape *tape, Tensor *hidden, Tensor *items, const DebiasedTargets *targets) {
    return tiled_loss(tape, hidden, items, position_loss, targets, 0);
}

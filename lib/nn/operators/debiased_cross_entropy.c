#include "nn/operators/operators.h"
#include "nn/operators/tiled_loss.h"
#include "nn/vector_math.h"

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
    float largest = -INFINITY;
#pragma omp simd reduction(max : largest)
    for (size_t c = 0; c < items; c++)
        largest = scores[c] > largest ? scores[c] : largest;
    double total = 0;
#pragma omp simd reduction(+ : total)
    for (size_t c = 0; c < items; c++) {
        scores[c] = vector_exp(scores[c] - largest);
        total += (double)scores[c];
    }
    const float inverse = (float)(1 / total);
#pragma omp simd
    for (size_t c = 0; c < items; c++)
        scores[c] *= inverse;
    scores[target] -= 1;
    return log(total) + (double)largest - (double)own;
}

Tensor *debiased_cross_entropy(Tape *tape, Tensor *hidden, Tensor *items, const DebiasedTargets *targets) {
    return tiled_loss(tape, hidden, items, position_loss, targets, 0);
}

#include "nn/operators/operators.h"
#include "nn/operators/tiled_loss.h"
#include "nn/softmax.h"

typedef struct Contrast {
    const ContrastivePairs *pairs;
    float scale; /* 1 / temperature */
} Contrast;

/* How often each candidate stands in the denominator. */
static void weigh(const ContrastivePairs *pairs, size_t anchor, size_t count, float *weights) {
    const uint32_t group = pairs->groups[anchor];
    memcpy(weights, pairs->weights, count * sizeof *weights);
    for (size_t i = pairs->grouped.offsets[group]; i < pairs->grouped.offsets[group + 1]; i++)
        weights[pairs->grouped_candidates[i]] -= 1;
    for (size_t i = pairs->excluded.offsets[anchor]; i < pairs->excluded.offsets[anchor + 1]; i++)
        weights[pairs->excluded_candidates[i]] = 0;
    for (size_t i = pairs->positives.offsets[anchor]; i < pairs->positives.offsets[anchor + 1]; i++)
        weights[pairs->positive_candidates[i]] += 1;
}

static double anchor_loss(const void *context, size_t anchor, size_t count, float *scores, float *scratch) {
    const Contrast *contrast = context;
    const ContrastivePairs *pairs = contrast->pairs;
    const float scale = contrast->scale;
    const size_t positive_count = segments_length(pairs->positives, anchor);
    const uint32_t *positives = pairs->positive_candidates + pairs->positives.offsets[anchor];
    float *weights = scratch, *shares = scratch + count, largest = -INFINITY;
    weigh(pairs, anchor, count, weights);
#pragma omp simd reduction(max : largest)
    for (size_t c = 0; c < count; c++) {
        scores[c] *= scale;
        largest = weights[c] > 0 && scores[c] > largest ? scores[c] : largest;
    }
    for (size_t i = 0; i < positive_count; i++)
        shares[i] = scores[positives[i]];
    const double log_positives = softmax_in_place(shares, positive_count);
    double total = 0;
#pragma omp simd reduction(+ : total)
    for (size_t c = 0; c < count; c++) {
        scores[c] = weights[c] > 0 ? weights[c] * vector_exp(scores[c] - largest) : 0;
        total += (double)scores[c];
    }
    const float inverse = scale / (float)total;
#pragma omp simd
    for (size_t c = 0; c < count; c++)
        scores[c] *= inverse;
    for (size_t i = 0; i < positive_count; i++)
        scores[positives[i]] -= scale * shares[i];
    return log(total) + (double)largest - log_positives;
}

Tensor *contrastive_loss(Tape *tape, Tensor *anchors, Tensor *candidates, double temperature,
                         const ContrastivePairs *pairs) {
    size_t most = 0;
    for (size_t i = 0; i < anchors->rows; i++)
        if (segments_length(pairs->positives, i) > most) most = segments_length(pairs->positives, i);
    const Contrast contrast = {pairs, (float)(1 / temperature)};
    return tiled_loss(tape, anchors, candidates, anchor_loss, &contrast, candidates->rows + most);
}

#include "device.h"
#include "table.h"
#include "values.h"

/* A block for each row of scores. In lists a candidate may stand twice; so each thread walks through a whole
 * list and changes only the candidates that are its own. */
static __device__ inline bool is_own(uint32_t candidate) {
    return candidate % BLOCK == threadIdx.x;
}

/* Turns the row into share · its softmax, −∞ among the scores allowed; returns the log of the sum of their
 * exponentials. */
static __device__ double softmax_row(size_t count, float share, float *scores) {
    float largest = -INFINITY, total = 0;
    for (size_t c = threadIdx.x; c < count; c += BLOCK)
        largest = fmaxf(largest, scores[c]);
    largest = block_largest(largest);
    for (size_t c = threadIdx.x; c < count; c += BLOCK) {
        scores[c] = expf(scores[c] - largest);
        total += scores[c];
    }
    const double sum = block_sum(static_cast<double>(total));
    const float factor = static_cast<float>(static_cast<double>(share) / sum);
    for (size_t c = threadIdx.x; c < count; c += BLOCK)
        scores[c] *= factor;
    return log(sum) + static_cast<double>(largest);
}

static void debiased(size_t rows, size_t first, size_t count, float share, const DebiasedLoss *loss_,
                     float *scores, double *losses) {
    const DebiasedLoss loss = *loss_;
    each_block(rows, [=] __device__(size_t i) {
        float *row = scores + i * count;
        const uint32_t target = loss.targets[first + i], user = loss.users[first + i];
        const float own = row[target] - loss.log_popularity[target];
        __syncthreads();
        for (size_t c = threadIdx.x; c < count; c += BLOCK)
            row[c] += loss.log_occurrences[c] - loss.log_popularity[c];
        for (size_t k = loss.own_offsets[user]; k < loss.own_offsets[user + 1]; k++)
            if (is_own(loss.own_items[k])) row[loss.own_items[k]] = -INFINITY;
        if (is_own(target)) row[target] = own;
        const double log_total = softmax_row(count, share, row);
        if (is_own(target)) row[target] -= share;
        if (threadIdx.x == 0) losses[i] = log_total - static_cast<double>(own);
    });
}

/* How often each candidate stands in the denominator. */
static __device__ void weigh(const ContrastiveLoss &loss, size_t anchor, size_t count, float *weights) {
    const uint32_t group = loss.groups[anchor];
    for (size_t c = threadIdx.x; c < count; c += BLOCK)
        weights[c] = loss.weights[c];
    for (size_t k = loss.group_offsets[group]; k < loss.group_offsets[group + 1]; k++)
        if (is_own(loss.group_candidates[k])) weights[loss.group_candidates[k]] -= 1;
    for (size_t k = loss.excluded_offsets[anchor]; k < loss.excluded_offsets[anchor + 1]; k++)
        if (is_own(loss.excluded_candidates[k])) weights[loss.excluded_candidates[k]] = 0;
    for (size_t k = loss.positive_offsets[anchor]; k < loss.positive_offsets[anchor + 1]; k++)
        if (is_own(loss.positive_candidates[k])) weights[loss.positive_candidates[k]] += 1;
}

/* The exponentials of an anchor's positives: the largest, and the sum of the others relative to it. */
typedef struct Positives {
    const uint32_t *candidates;
    size_t count;
    float largest;
    double sum;
} Positives;

static __device__ Positives add_positives(const ContrastiveLoss &loss, size_t anchor, const float *scores) {
    Positives positives = {loss.positive_candidates + loss.positive_offsets[anchor],
                           loss.positive_offsets[anchor + 1] - loss.positive_offsets[anchor], -INFINITY, 0};
    float sum = 0;
    for (size_t k = threadIdx.x; k < positives.count; k += BLOCK)
        positives.largest = fmaxf(positives.largest, loss.scale * scores[positives.candidates[k]]);
    positives.largest = block_largest(positives.largest);
    for (size_t k = threadIdx.x; k < positives.count; k += BLOCK)
        sum += expf(loss.scale * scores[positives.candidates[k]] - positives.largest);
    positives.sum = block_sum(static_cast<double>(sum));
    return positives;
}

static __device__ double contrast(const ContrastiveLoss &loss, size_t anchor, size_t count, float share,
                                  float *scores, float *weights) {
    weigh(loss, anchor, count, weights);
    const Positives positives = add_positives(loss, anchor, scores);
    float largest = -INFINITY, total = 0;
    for (size_t c = threadIdx.x; c < count; c += BLOCK) {
        scores[c] *= loss.scale;
        if (weights[c] > 0) largest = fmaxf(largest, scores[c]);
    }
    largest = block_largest(largest);
    for (size_t c = threadIdx.x; c < count; c += BLOCK)
        total += weights[c] > 0 ? weights[c] * expf(scores[c] - largest) : 0;
    const double sum = block_sum(static_cast<double>(total));
    const float factor = share * loss.scale;
    for (size_t c = threadIdx.x; c < count; c += BLOCK) {
        const float score = scores[c];
        scores[c] =
            weights[c] > 0 ? factor / static_cast<float>(sum) * weights[c] * expf(score - largest) : 0;
        weights[c] = score;
    }
    for (size_t k = 0; k < positives.count; k++) {
        const uint32_t c = positives.candidates[k];
        if (is_own(c))
            scores[c] -= factor * expf(weights[c] - positives.largest) / static_cast<float>(positives.sum);
    }
    return log(sum) + static_cast<double>(largest) - log(positives.sum) -
           static_cast<double>(positives.largest);
}

static void contrastive(size_t rows, size_t first, size_t count, float share, const ContrastiveLoss *loss_,
                        float *scores, double *losses, Arena *) {
    const ContrastiveLoss loss = *loss_;
    float *weights = static_cast<float *>(device_room(rows * count * sizeof *weights));
    each_block(rows, [=] __device__(size_t i) {
        const double value = contrast(loss, first + i, count, share, scores + i * count, weights + i * count);
        if (threadIdx.x == 0) losses[i] = value;
    });
}

static void softmax(size_t rows, size_t count, float share, const uint32_t *classes, float *scores,
                    double *losses) {
    each_block(rows, [=] __device__(size_t i) {
        float *row = scores + i * count;
        const uint32_t target = classes[i];
        const double own = static_cast<double>(row[target]), log_total = softmax_row(count, share, row);
        if (is_own(target)) row[target] -= share;
        if (threadIdx.x == 0) losses[i] = log_total - own;
    });
}

static void mean(size_t count, const double *losses, float *to) {
    each_block(1, [=] __device__(size_t) {
        double sum = 0;
        for (size_t i = threadIdx.x; i < count; i += BLOCK)
            sum += losses[i];
        sum = block_sum(sum);
        if (threadIdx.x == 0) *to = count ? static_cast<float>(sum / static_cast<double>(count)) : 0;
    });
}

const LossKernels cuda_losses = {debiased, contrastive, softmax, mean};

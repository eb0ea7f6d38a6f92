#include "nn/backend/cpu/kernels.h"
#include "nn/backend/cpu/softmax.h"

#include <omp.h>

static void scale_row(size_t count, float factor, float *row) {
#pragma omp simd
    for (size_t c = 0; c < count; c++)
        row[c] *= factor;
}

/* Those that do not count are −∞ before the largest of the rest is looked for, and that they stay. */
static double debiased_row(const DebiasedLoss *loss, size_t position, size_t count, float share,
                           float *scores) {
    const uint32_t target = loss->targets[position], user = loss->users[position];
    const float *log_popularity = loss->log_popularity, *log_occurrences = loss->log_occurrences;
    const float own = scores[target] - log_popularity[target];
    float largest = own;
    for (size_t c = loss->own_offsets[user]; c < loss->own_offsets[user + 1]; c++)
        scores[loss->own_items[c]] = -INFINITY;
    scores[target] = -INFINITY;
#pragma omp simd reduction(max : largest)
    for (size_t c = 0; c < count; c++) {
        scores[c] += log_occurrences[c] - log_popularity[c];
        largest = scores[c] > largest ? scores[c] : largest;
    }
    scores[target] = own;
    const double log_total = softmax_below(largest, scores, count, share);
    scores[target] -= share;
    return log_total - (double)own;
}

static void debiased(size_t rows, size_t first, size_t count, float share, const DebiasedLoss *loss,
                     float *scores, double *losses) {
#pragma omp parallel for schedule(static) if (rows * count > PARALLEL_ELEMENTS)
    for (size_t i = 0; i < rows; i++)
        losses[i] = debiased_row(loss, first + i, count, share, scores + i * count);
}

/* How often each candidate stands in the denominator. */
static void weigh(const ContrastiveLoss *loss, size_t anchor, size_t count, float *weights) {
    const uint32_t group = loss->groups[anchor];
    copy_rows(1, count, loss->weights, weights);
    for (size_t i = loss->group_offsets[group]; i < loss->group_offsets[group + 1]; i++)
        weights[loss->group_candidates[i]] -= 1;
    for (size_t i = loss->excluded_offsets[anchor]; i < loss->excluded_offsets[anchor + 1]; i++)
        weights[loss->excluded_candidates[i]] = 0;
    for (size_t i = loss->positive_offsets[anchor]; i < loss->positive_offsets[anchor + 1]; i++)
        weights[loss->positive_candidates[i]] += 1;
}

/* `weights` and `shares` are room for count and for most_positives floats. */
static double contrastive_row(const ContrastiveLoss *loss, size_t anchor, size_t count, float share,
                              float *scores, float *weights, float *shares) {
    const size_t first = loss->positive_offsets[anchor];
    const size_t positive_count = loss->positive_offsets[anchor + 1] - first;
    const uint32_t *positives = loss->positive_candidates + first;
    const float scale = loss->scale;
    float largest = -INFINITY;
    weigh(loss, anchor, count, weights);
#pragma omp simd reduction(max : largest)
    for (size_t c = 0; c < count; c++) {
        scores[c] *= scale;
        largest = weights[c] > 0 && scores[c] > largest ? scores[c] : largest;
    }
    for (size_t i = 0; i < positive_count; i++)
        shares[i] = scores[positives[i]];
    const double log_positives = softmax_in_place(shares, positive_count, scale * share);
    double total = 0;
#pragma omp simd reduction(+ : total)
    for (size_t c = 0; c < count; c++) {
        scores[c] = weights[c] > 0 ? weights[c] * vector_exp(scores[c] - largest) : 0;
        total += (double)scores[c];
    }
    scale_row(count, scale * share / (float)total, scores);
    for (size_t i = 0; i < positive_count; i++)
        scores[positives[i]] -= shares[i];
    return log(total) + (double)largest - log_positives;
}

static void contrastive(size_t rows, size_t first, size_t count, float share, const ContrastiveLoss *loss,
                        float *scores, double *losses, Arena *scratch) {
    const size_t room = count + loss->most_positives;
    const ArenaMark mark = arena_mark(scratch);
    float *all = arena_take(scratch, (size_t)omp_get_max_threads() * room, sizeof *all);
#pragma omp parallel for schedule(static) if (rows * count > PARALLEL_ELEMENTS)
    for (size_t i = 0; i < rows; i++) {
        float *own = all + (size_t)omp_get_thread_num() * room;
        losses[i] = contrastive_row(loss, first + i, count, share, scores + i * count, own, own + count);
    }
    arena_rewind(scratch, mark);
}

static double softmax_row(size_t count, uint32_t class, float share, float *scores) {
    const float own = scores[class];
    const double log_total = softmax_in_place(scores, count, share);
    scores[class] -= share;
    return log_total - (double)own;
}

static void softmax(size_t rows, size_t count, float share, const uint32_t *classes, float *scores,
                    double *losses) {
#pragma omp parallel for schedule(static) if (rows * count > PARALLEL_ELEMENTS)
    for (size_t i = 0; i < rows; i++)
        losses[i] = softmax_row(count, classes[i], share, scores + i * count);
}

static void mean(size_t count, const double *losses, float *to) {
    double total = 0;
    for (size_t i = 0; i < count; i++)
        total += losses[i];
    *to = count ? (float)(total / (double)count) : 0;
}

const LossKernels cpu_losses = {debiased, contrastive, softmax, mean};

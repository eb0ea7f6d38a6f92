#include "report/statistics.h"

#include "core/memory.h"
#include "core/random.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { DRAWS = 2000, SEED = 1, STREAM_SIGNS = 1u << 31, CUTOFF = 10 };

static int compare_numbers(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double resampled_mean(const double *values, size_t count, uint64_t draw) {
    Random random;
    double sum = 0;
    random_seed(&random, SEED, draw);
    for (size_t i = 0; i < count; i++)
        sum += values[random_below(&random, count)];
    return sum / (double)count;
}

static double mean_with_drawn_signs(const double *values, size_t count, uint64_t draw) {
    Random random;
    double sum = 0;
    uint64_t bits = 0;
    random_seed(&random, SEED, STREAM_SIGNS + draw);
    for (size_t i = 0; i < count; i++, bits >>= 1) {
        if (i % 64 == 0) bits = random_next(&random);
        sum += bits & 1 ? values[i] : -values[i];
    }
    return sum / (double)count;
}

Estimate estimate(const double *values, size_t count) {
    Estimate estimate = {.users = count};
    if (!count) return estimate;
    double sum = 0, squares = 0;
    for (size_t i = 0; i < count; i++)
        sum += values[i];
    estimate.mean = sum / (double)count;
    for (size_t i = 0; i < count; i++)
        squares += (values[i] - estimate.mean) * (values[i] - estimate.mean);
    if (count > 1) estimate.standard_error = sqrt(squares / (double)(count - 1) / (double)count);
    double means[DRAWS];
    size_t as_far = 0;
    const double far = fabs(estimate.mean) * (1 - 1e-12); /* equal but for rounding counts as equal */
#pragma omp parallel for reduction(+ : as_far)
    for (size_t draw = 0; draw < DRAWS; draw++) {
        means[draw] = resampled_mean(values, count, draw);
        as_far += fabs(mean_with_drawn_signs(values, count, draw)) >= far;
    }
    qsort(means, DRAWS, sizeof *means, compare_numbers);
    estimate.low = means[DRAWS / 40];
    estimate.high = means[DRAWS - 1 - DRAWS / 40];
    estimate.p = (double)(1 + as_far) / (DRAWS + 1);
    return estimate;
}

static const Run *first_ranked(const RunGroup *group) {
    for (size_t i = 0; i < group->count; i++)
        if (group->runs[i].users) return &group->runs[i];
    return NULL;
}

/* The share of the group's runs with ranks that rank the user's target among the first ten; false when one of
 * them does not know the user. */
static bool share_of_hits(const RunGroup *group, const char *user, size_t size, double *share) {
    size_t ranked = 0, hits = 0;
    for (size_t i = 0; i < group->count; i++) {
        const Run *run = &group->runs[i];
        if (!run->users) continue;
        const size_t found = name_table_find(run->users, user, size);
        if (found == SIZE_MAX) return false;
        ranked++;
        hits += run->ranks[found] <= CUTOFF;
    }
    *share = (double)hits / (double)ranked;
    return ranked > 0;
}

/* `reference` NULL: the figures themselves. */
static Estimate estimate_users(const RunGroup *group, const RunGroup *reference) {
    const Run *first = first_ranked(group);
    if (!first || (reference && !first_ranked(reference))) return (Estimate){0};
    const size_t count = name_table_count(first->users);
    double *values = memory_need(count, sizeof *values);
    size_t users = 0;
    for (size_t i = 0; i < count; i++) {
        size_t size;
        double one, other = 0;
        const char *user = name_table_name(first->users, i, &size);
        if (share_of_hits(group, user, size, &one) &&
            (!reference || share_of_hits(reference, user, size, &other)))
            values[users++] = one - other;
    }
    const Estimate result = estimate(values, users);
    free(values);
    return result;
}

Estimate estimate_group(const RunGroup *group) {
    return estimate_users(group, NULL);
}

Estimate estimate_difference(const RunGroup *group, const RunGroup *reference) {
    return estimate_users(group, reference);
}

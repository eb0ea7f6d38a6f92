#include "train/validation.h"

#include "core/finite.h"
#include "core/memory.h"
#include "core/random.h"
#include "eval/scorer.h"
#include "train/seed.h"
#include "train/shares.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static int compare_users(const void *a, const void *b) {
    const uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

bool validation_plan(ValidationPlan *plan, const Settings *settings, const Behaviours *behaviours,
                     Error *error) {
    const uint32_t all = behaviours->user_count;
    const int64_t asked = settings->validate_users;
    if (!metric_name_parse(&plan->metric, settings->metric, error)) return false;
    plan->count = asked && asked < all ? (size_t)asked : all;
    plan->users = memory_allocate(all, sizeof *plan->users, error);
    if (!plan->users) return false;
    for (uint32_t user = 0; user < all; user++)
        plan->users[user] = user;
    if (plan->count == all) return true;
    Random random;
    random_seed(&random, random_hash((uint64_t)settings->seed, SEED_VALIDATION), 0);
    random_shuffle(&random, plan->users, all);
    qsort(plan->users, plan->count, sizeof *plan->users, compare_users);
    return true;
}

void validation_plan_free(ValidationPlan *plan) {
    free(plan->users);
    *plan = (ValidationPlan){0};
}

static Cutoffs cutoffs_of(const ValidationPlan *plan) {
    Cutoffs cutoffs = {3, {10, 5, 20}};
    for (size_t i = 0; i < cutoffs.count; i++)
        if (cutoffs.k[i] == plan->metric.cutoff) return cutoffs;
    cutoffs.k[cutoffs.count++] = plan->metric.cutoff;
    return cutoffs;
}

double validation_score(const ValidationPlan *plan, const Metrics *metrics) {
    size_t i = 0;
    while (metrics->cutoffs.k[i] != plan->metric.cutoff)
        i++;
    return plan->metric.is_ndcg ? metrics->ndcg[i] : metrics->hr[i];
}

/* Names the first item whose vector is not finite. */
static bool check_vectors(Trainer *trainer, const float *vectors, size_t dim) {
    const Behaviours *behaviours = trainer->behaviours;
    if (*trainer->numerics.found) {
        trainer_diverge(trainer, "after step %" PRIu64 ", in validation: %s", trainer->step,
                        trainer->numerics.found);
        return false;
    }
    const size_t place = first_not_finite(vectors, ((size_t)behaviours->item_count + 1) * dim);
    if (place == SIZE_MAX) return true;
    const size_t item = place / dim;
    const char *name = "the padding";
    if (item) name = name_table_name(trainer->source->names, behaviours->item_rows[item], NULL);
    trainer_diverge(trainer, "after step %" PRIu64 " the vector of item '%s' is not finite", trainer->step,
                    name);
    return false;
}

static void rank(Trainer *trainer, const float *vectors, double *ranks) {
    const Behaviours *behaviours = trainer->behaviours;
    const Recommender *recommender = trainer->recommender;
    const ValidationPlan *plan = &trainer->plan;
    const size_t dim = (size_t)recommender->settings.dim;
    const Scorer scorer = {recommender, trainer->inference, {dim, .padding = vectors, .array = vectors}};
    const Ranks *processes = trainer->options.ranks;
    size_t *shares = memory_need((size_t)processes->count + 1, sizeof *shares);
    ranks_share(processes, plan->count, shares);
    const size_t first = shares[processes->rank];
    const UserChoice users = {.behaviours = behaviours,
                              .split = SPLIT_VALID,
                              .users = plan->users + first,
                              .count = shares[processes->rank + 1] - first};
    Error error;
    if (!scorer_ranks(&scorer, &users, behaviours->item_count, ranks + first, &error))
        trainer_diverge(trainer, "after step %" PRIu64 ", in validation: %s", trainer->step, error.message);
    ranks_gather(processes, shares, sizeof *ranks, ranks);
    free(shares);
}

bool validation_run(Trainer *trainer, Metrics *metrics, Error *error) {
    const Behaviours *behaviours = trainer->behaviours;
    const size_t dim = (size_t)trainer->recommender->settings.dim;
    const Cutoffs cutoffs = cutoffs_of(&trainer->plan);
    const size_t users = trainer->plan.count;
    float *vectors = memory_allocate((size_t)behaviours->item_count + 1, dim * sizeof *vectors, error);
    if (!vectors) return false;
    double *ranks = memory_need(users, sizeof *ranks);
    numerics_begin(&trainer->numerics, NULL);
    item_source_encode(trainer->source, trainer->recommender, trainer->options.ranks, trainer->inference,
                       behaviours->item_count, vectors);
    if (check_vectors(trainer, vectors, dim)) rank(trainer, vectors, ranks);
    shares_agree_on_divergence(trainer);
    if (!*trainer->divergence) *metrics = metrics_compute(&cutoffs, ranks, users, NULL, false);
    free(vectors);
    free(ranks);
    return true;
}

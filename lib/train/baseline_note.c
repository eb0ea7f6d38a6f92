#include "core/log.h"
#include "core/memory.h"
#include "eval/baselines.h"
#include "train/validation.h"

#include <string.h>

enum { MOST_USERS = 2000 };

/* Pairs of items of a user that co-occurrence counts, in all: a second's work or so. */
static const double MOST_PAIRS = 5e7;

static bool is_cheap(const char *name, const Behaviours *behaviours) {
    const double length = behaviours->options.max_seq_len;
    return strcmp(name, "co-occurrence") != 0 || behaviours->user_count * length * length / 2 <= MOST_PAIRS;
}

static bool rank_user(const Baseline *baseline, const Behaviours *behaviours, size_t user, double *rank) {
    const uint32_t items = behaviours->item_count;
    float *scores = memory_need((size_t)items + 1, sizeof *scores);
    Error error;
    baseline_score(baseline, user, items, scores);
    const bool fine = rank_target(scores, items, split_target(behaviours, SPLIT_VALID, user),
                                  split_history(behaviours, SPLIT_VALID, user), rank, &error);
    free(scores);
    return fine;
}

/* The baseline's score in the metric of the plan with `count` of its users, evenly taken; −1 when it has
 * none. */
static double score_baseline(const Trainer *trainer, const char *name, size_t count) {
    const ValidationPlan *plan = &trainer->plan;
    Error error;
    Baseline *baseline = baseline_create(name, trainer->behaviours, SPLIT_VALID, &error);
    if (!baseline) return -1;
    double *ranks = memory_need(count, sizeof *ranks);
    bool fine = true;
#pragma omp parallel for reduction(&& : fine)
    for (size_t i = 0; i < count; i++)
        fine =
            rank_user(baseline, trainer->behaviours, plan->users[i * plan->count / count], &ranks[i]) && fine;
    baseline_destroy(baseline);
    const Cutoffs cutoffs = {1, {plan->metric.cutoff}};
    const Metrics metrics = metrics_compute(&cutoffs, ranks, count, NULL, false);
    free(ranks);
    return fine ? validation_score(plan, &metrics) : -1;
}

void validation_compare(const Trainer *trainer) {
    static const char *const names[] = {"popularity", "co-occurrence"};
    const size_t all = trainer->plan.count, count = all < MOST_USERS ? all : MOST_USERS;
    const char *metric = trainer->recommender->settings.metric;
    const KeptModel *best = &trainer->best;
    const char *better = NULL;
    double highest = best->score;
    if (!best->epoch || log_level() == LOG_QUIET) return;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (!is_cheap(names[i], trainer->behaviours)) continue;
        const double score = score_baseline(trainer, names[i], count);
        if (score <= highest) continue;
        better = names[i];
        highest = score;
    }
    if (better)
        log_report(
            "the model ends below %s, which learns nothing: %s %.4f in validation, and %.4f; more epochs, "
            "another --lr or --warmup may help",
            better, metric, best->score, highest);
}

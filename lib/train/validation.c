#include "train/validation.h"

#include "core/finite.h"
#include "core/memory.h"
#include "eval/scorer.h"

#include <inttypes.h>
#include <string.h>

/* Names the first item whose vector is not finite. */
static bool check_vectors(Trainer *trainer, const float *vectors, size_t dim) {
    const Behaviours *behaviours = trainer->behaviours;
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
    const size_t dim = (size_t)recommender->settings.dim;
    const Scorer scorer = {recommender, trainer->inference, {dim, .padding = vectors, .array = vectors}};
    const UserChoice users = {
        .behaviours = behaviours, .split = SPLIT_VALID, .count = behaviours->user_count};
    Error error;
    if (!scorer_ranks(&scorer, &users, behaviours->item_count, ranks, &error))
        trainer_diverge(trainer, "after step %" PRIu64 ", in validation: %s", trainer->step, error.message);
}

bool validation_run(Trainer *trainer, Metrics *metrics, Error *error) {
    const Behaviours *behaviours = trainer->behaviours;
    const size_t dim = (size_t)trainer->recommender->settings.dim;
    const Cutoffs cutoffs = {3, {10, 5, 20}};
    float *vectors = memory_allocate((size_t)behaviours->item_count + 1, dim * sizeof *vectors, error);
    if (!vectors) return false;
    double *ranks = memory_need(behaviours->user_count, sizeof *ranks);
    item_source_encode(trainer->source, trainer->recommender, trainer->inference, behaviours->item_count,
                       vectors);
    if (check_vectors(trainer, vectors, dim)) rank(trainer, vectors, ranks);
    if (!*trainer->divergence)
        *metrics = metrics_compute(&cutoffs, ranks, behaviours->user_count, NULL, false);
    free(vectors);
    free(ranks);
    return true;
}

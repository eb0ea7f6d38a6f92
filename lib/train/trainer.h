/* Training: epochs of batches, validation after each, the best epoch kept. */
#ifndef TRAIN_TRAINER_H
#define TRAIN_TRAINER_H

#include "core/progress.h"
#include "core/ranks.h"
#include "data/batch.h"
#include "model/metric_name.h"
#include "nn/optimizer.h"
#include "train/item_source.h"
#include "train/numerics.h"
#include "train/training_log.h"

typedef struct TrainerOptions {
    const Ranks *ranks;
    bool keep_last;           /* the last epoch instead of the best in validation */
    const char *checkpoint;   /* where the state is put away, and taken up when it is there; NULL: nowhere */
    int64_t checkpoint_every; /* steps, besides every ten minutes, every epoch and a signal; 0: no more */
    bool restart;             /* whatever checkpoint there is does not count */
    const char *log;          /* NULL: none */
    bool check_numerics;      /* of every operator: train/numerics.h */
    json_t *identity; /* what a checkpoint must agree with: names by which people know it, and any values */
} TrainerOptions;

/* Where a training stands within an epoch. */
typedef struct EpochState {
    uint64_t batch;                    /* batches that are done */
    uint64_t losses, updates, waiting; /* batches that gave a loss, of them since the last update; updates */
    double loss_total, norm_total;     /* of the losses; of the gradients at the updates */
} EpochState;

/* What the last step found out; a card brings it while the next step begins. */
typedef struct StepReport {
    bool has_losses, has_norm;              /* that are still to be looked at */
    bool given[OBJECTIVE_MOST_PARTS];       /* the batch gave this part a loss */
    float losses[OBJECTIVE_MOST_PARTS + 1]; /* by part where there are several, and their sum behind them */
} StepReport;

/* The model that the training would end with now. */
typedef struct KeptModel {
    int64_t epoch;  /* 0: none */
    double score;   /* in validation */
    json_t *valid;  /* its validation metrics */
    float **values; /* of its parameters */
} KeptModel;

/* How epochs are compared. */
typedef struct ValidationPlan {
    MetricName metric; /* chooses the best epoch */
    uint32_t *users;   /* [count], rising */
    size_t count;
} ValidationPlan;

typedef struct Trainer {
    Recommender *recommender;
    const Behaviours *behaviours;
    const ItemSource *source;
    TrainerOptions options;
    Optimizer optimizer;
    GroupRate rates[GROUP_COUNT]; /* before the schedule's factor */
    Tape *tape, *inference;
    float *popularity; /* by item number */
    TrainingLog *log;
    ValidationPlan plan;
    Numerics numerics; /* looks at the tapes under check_numerics alone */
    uint64_t step;     /* batches that gave a loss, in all epochs */
    uint64_t updates;  /* of the parameters, in all epochs */
    int64_t epoch;     /* epochs that are done */
    EpochState state;  /* of the one under way, but for what `report` brings */
    StepReport report;
    KeptModel best, last; /* `last` is kept under keep_last alone, `best` then without values */
    char divergence[512]; /* what was not finite first; empty: nothing */
    Progress progress;    /* over the batches of all epochs */
    double exchanged;     /* ranks_seconds before the epoch under way */
    uint64_t saved_step;  /* of the last checkpoint */
    double saved_time;
} Trainer;

/* The recommender's parameters must have their initial values. Everything given must outlive the trainer. */
bool trainer_create(Trainer *trainer, Recommender *recommender, const Behaviours *behaviours,
                    const ItemSource *source, const TrainerOptions *options, Error *error);
void trainer_free(Trainer *trainer);

/* Trains until the epochs, the patience or what is finite are over; the recommender then holds the model that
 * is kept. What is not finite (a loss, a gradient, a parameter, a score) is an error when no epoch was
 * finished before it. */
bool trainer_run(Trainer *trainer, Error *error);

/* The model that was kept. */
const KeptModel *trainer_kept(const Trainer *trainer);

/* Notes what was not finite first. */
void trainer_diverge(Trainer *trainer, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif

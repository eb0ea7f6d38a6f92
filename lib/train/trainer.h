/* Training: epochs of batches, validation after each, the best epoch kept. */
#ifndef TRAIN_TRAINER_H
#define TRAIN_TRAINER_H

#include "nn/optimizer.h"
#include "train/item_source.h"
#include "train/training_log.h"

typedef struct TrainerOptions {
    bool keep_last;         /* the last epoch instead of the best by validation HR@10 */
    const char *checkpoint; /* written after each epoch, and taken up when it is there; NULL: none */
    const char *log;        /* NULL: none */
} TrainerOptions;

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
    uint64_t step;
    int64_t epoch;       /* epochs that are done */
    int64_t best_epoch;  /* 0: none */
    double best;         /* its validation HR@10 */
    json_t *best_valid;  /* its validation metrics */
    float **best_values; /* its parameters */
    bool diverged;
} Trainer;

/* The recommender's parameters must have their initial values. Everything given must outlive the trainer. */
bool trainer_create(Trainer *trainer, Recommender *recommender, const Behaviours *behaviours,
                    const ItemSource *source, const TrainerOptions *options, Error *error);
void trainer_free(Trainer *trainer);

/* Trains until the epochs, the patience or the finite losses are over; the recommender then holds the model
 * that is kept. A loss that is not finite is an error when no epoch was finished before it. */
bool trainer_run(Trainer *trainer, Error *error);

#endif

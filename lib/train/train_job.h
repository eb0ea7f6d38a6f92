/* What pm-train-user does: from streams, behaviours and settings to a trained model. */
#ifndef TRAIN_TRAIN_JOB_H
#define TRAIN_TRAIN_JOB_H

#include "core/ranks.h"
#include "data/behaviours.h"
#include "model/settings.h"

typedef struct TrainRequest {
    const Ranks *ranks;
    const char *users, *text, *image, *items, *catalog;
    const char *text_encoder, *image_encoder; /* files of kind encoder */
    const char *init, *transfer;
    const char *log, *checkpoint, *output;
    int64_t checkpoint_every; /* steps; 0: by time alone */
    bool restart;             /* an earlier checkpoint does not count */
    const char *keep;         /* "best" or "last" */
    UnknownItems unknown_items;
    const char *cache; /* the folder of the streams' caches, or NULL */
    int64_t memory;    /* MiB that all streams may take before they go to scratch files */
    Settings settings;
    bool tower_given;                           /* on the command line or in --config */
    bool text_config_given, image_config_given; /* on the command line */
    bool check_numerics;                        /* of every operator */
    bool any_model; /* hidden states that another model is known to have made will do */
} TrainRequest;

/* Settings that no option gave come from the header of --init, as far as they shape the model. */
bool train_job(TrainRequest *request, Program *program, Error *error);

#endif

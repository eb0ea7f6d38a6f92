/* The recommender of a training, with the values that it starts from: those of --init and of the encoders'
 * own files, or random ones. */
#ifndef TRAIN_WEIGHTS_H
#define TRAIN_WEIGHTS_H

#include "train/inputs.h"

typedef struct TrainWeights {
    StreamReader *init; /* --init, or NULL; read once, so that a pipe will do */
    json_t *init_content;
    ParameterSet *aside; /* of --init: what cannot be taken as it stands there */
    Recommender *recommender;
} TrainWeights;

/* Opens the files of weights, those of the encoders in the sides of `inputs`. `weights` starts from {0} and
 * is given to weights_free also on failure. */
bool weights_open(TrainWeights *weights, TrainInputs *inputs, const TrainRequest *request, Error *error);

/* The model of --init lends the settings that shape a model, but for the tower, which the streams choose. */
bool weights_inherit_settings(const TrainWeights *weights, Program *program, Error *error);

/* Puts the recommender together for inputs that were read, and gives all parameters their values. */
bool weights_load(TrainWeights *weights, TrainInputs *inputs, const TrainRequest *request, Error *error);
void weights_free(TrainWeights *weights);

#endif

/* What a training reads: the streams that its tower needs, the items that they have in common, and the
 * behaviours over those items. */
#ifndef TRAIN_INPUTS_H
#define TRAIN_INPUTS_H

#include "data/catalogue.h"
#include "train/item_source.h"
#include "train/side.h"
#include "train/train_job.h"

typedef struct TrainInputs {
    Side sides[MODALITIES];
    FeatureStore *vectors; /* NULL unless the items come in as vectors */
    Catalogue catalogue;   /* of an ID tower */
    NameTable *names;      /* of the items of all streams */
    ItemSource source;
    Behaviours behaviours;
    bool has_source, has_behaviours;
} TrainInputs;

/* Without --tower the streams say which it is. A stream that the tower needs and that is not given, and one
 * that it does not read, are errors. */
bool inputs_choose_tower(const TrainInputs *inputs, TrainRequest *request, Error *error);

/* Reads all streams and the behaviours. `inputs` starts from {0} and is given to inputs_free also on failure.
 * The width of given vectors becomes the setting dim. */
bool inputs_read(TrainInputs *inputs, TrainRequest *request, Error *error);
void inputs_free(TrainInputs *inputs);

#endif

/* Objectives: scalars to be made small. A new one is a file with an ObjectiveKind and a line in registry.c.
 */
#ifndef MODEL_OBJECTIVE_H
#define MODEL_OBJECTIVE_H

#include "core/ranks.h"
#include "model/fusion/fusion.h"
#include "model/user_encoder/user_encoder.h"

/* A batch of training rows: the items of each user, oldest first, without padding. */
typedef struct TrainingRows {
    size_t users;
    Segments rows;           /* by user, over `items`; at most L + 1 long */
    const uint32_t *items;   /* rows of the item vectors */
    size_t distinct;         /* item vectors, the padding item's left out */
    const float *popularity; /* by row of the item vectors */
} TrainingRows;

/* What of the batch each rank takes: the distinct items that it encodes and the users whose losses it adds.
 */
typedef struct BatchShares {
    const Ranks *ranks;
    Segments items,
        users; /* by rank: rows of the item vectors, the padding item's left out; users of the rows */
} BatchShares;

/* What became of an input; NID's classes. */
typedef enum Corruption { CORRUPTION_NONE, CORRUPTION_SHUFFLED, CORRUPTION_REPLACED } Corruption;

/* Everything that an objective may look at. */
typedef struct ObjectiveInput {
    const Settings *settings;
    const BatchShares *shares;  /* NULL: all is this process's */
    const TrainingRows *rows;   /* of the whole batch */
    const UserRows *inputs;     /* `rows` of this rank's users without the last item of each */
    const ItemTokens *tokens;   /* projected, of this rank's items; NULL for towers without tokens */
    Tensor *items;              /* item vectors, of the whole batch */
    Tensor *hidden;             /* [positions of inputs, D] */
    Tensor *corrupted_hidden;   /* of the corrupted inputs; NULL unless an objective needs them */
    const uint32_t *corruption; /* by position of inputs: a Corruption */
} ObjectiveInput;

typedef struct ObjectiveKind {
    const char *name;
    bool needs_text_and_image, needs_corruption;

    /* Adds the parameters, if it has any. NULL: it has none. */
    void *(*create)(ParameterSet *set, const Settings *settings);

    /* A scalar, this rank's share of the whole batch's loss (objective_share); NULL when the batch gives
     * nothing to it. */
    Tensor *(*loss)(const void *module, Tape *tape, const ObjectiveInput *input);
} ObjectiveKind;

/* This rank's users. */
size_t objective_first_user(const ObjectiveInput *input);
size_t objective_end_user(const ObjectiveInput *input);

/* How many inputs all users of the batch have, of which this rank's have `own`. */
size_t objective_positions(const ObjectiveInput *input, size_t own);

/* The rows that each rank has, by segments of `rows`, for all of them. */
Tensor *objective_gather(Tape *tape, const ObjectiveInput *input, Tensor *x, Segments rows);

/* From the mean of a loss over this rank's `own` rows what it adds to that over the `all` of the batch. */
Tensor *objective_share(Tape *tape, Tensor *mean, size_t own, size_t all);

/* Draws a corrupted copy of the inputs: `corrupted` takes the place of inputs->rows, `corruption` says by
 * position what became of it. Each input is shuffled with the probability shuffle_rate (the chosen ones of a
 * row change places, and all of them move) or else replaced with replace_rate by another of the `distinct`
 * items. One that is alone, or that meets an equal item, is unchanged. */
void objective_corrupt(const UserRows *inputs, size_t distinct, const Settings *settings, Random *random,
                       uint32_t *corrupted, uint32_t *corruption);

/* The parts of an objective such as "dap,nicl=0.1,nid=1", with their weights (1 where none is given). */
enum { OBJECTIVE_MOST_PARTS = 8 };
typedef struct ObjectiveParts {
    size_t count;
    const ObjectiveKind *kinds[OBJECTIVE_MOST_PARTS];
    double weights[OBJECTIVE_MOST_PARTS];
} ObjectiveParts;

/* An unknown name, a name given twice, a weight that is no number above 0: a message. */
bool objective_parse(ObjectiveParts *parts, const char *text, Error *error);

#endif

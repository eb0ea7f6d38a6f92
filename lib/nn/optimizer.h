/* AdamW (Loshchilov and Hutter 2019) with decoupled decay, as PyTorch computes it, in one pass over each
 * parameter. */
#ifndef NN_OPTIMIZER_H
#define NN_OPTIMIZER_H

#include "nn/parameters.h"

typedef struct GroupRate {
    double learning_rate, weight_decay;
} GroupRate;

typedef struct Optimizer {
    double beta1, beta2, epsilon;
    uint64_t *steps; /* by parameter: how often it was moved */
    const Backend *backend;
    AdamW *moves;        /* room for those of a step */
    RowChoice *choices;  /* by parameter: in a step, the rows with a gradient where they are followed */
    Arena *scratch;      /* in the backend's memory */
    double total, scale; /* of the last step: the sum of the squares of the gradients, and what it scaled */
} Optimizer;

/* For a set that is in its backend's memory. */
void optimizer_create(Optimizer *optimizer, const ParameterSet *set);
void optimizer_free(Optimizer *optimizer);

/* Moves every parameter that was touched since its gradients were cleared; the others are left alone, decay
 * included. The gradients are multiplied with `scale` first, and then, where `clip` is not 0 and their
 * Euclidean norm is above it, brought down to that norm. A norm that is not finite moves nothing. */
void optimizer_step(Optimizer *optimizer, ParameterSet *set, const GroupRate rates[GROUP_COUNT], double scale,
                    double clip);

/* The norm of the gradients of the last step, scaled, once what was posted is collected. */
double optimizer_norm(const Optimizer *optimizer);

/* A move with these factors and the optimizer's own, of nothing yet. */
AdamW optimizer_move(const Optimizer *optimizer, float keep, float step_size, float root);

/* Makes up for all that rows owe (row_updates.h): to be called before values are read but by training. */
void optimizer_settle(Optimizer *optimizer, ParameterSet *set);

#endif

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
    size_t count;
} Optimizer;

void optimizer_create(Optimizer *optimizer, const ParameterSet *set);
void optimizer_free(Optimizer *optimizer);

/* Moves every parameter that was touched since its gradients were cleared, after multiplying the gradients by
 * `scale`; the others are left alone, decay included. */
void optimizer_step(Optimizer *optimizer, ParameterSet *set, const GroupRate rates[GROUP_COUNT],
                    double scale);

/* The Euclidean norm of all touched gradients. */
double optimizer_gradient_norm(const ParameterSet *set);

#endif

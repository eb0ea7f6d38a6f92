#include "nn/operators/operators.h"

#include <assert.h>

typedef struct WeightedSum {
    Tensor *losses[WEIGHTED_SUM_MOST], *y;
    WeightedScalars scalars;
} WeightedSum;

static void weighted_sum_backward(Tape *tape, void *context) {
    const WeightedSum *sum = context;
    for (size_t i = 0; i < sum->scalars.count; i++)
        if (sum->losses[i]->needs_gradient)
            tape->backend->elements->add_scaled(1, (float)sum->scalars.weights[i], NULL, sum->y->gradient,
                                                tape_gradient(tape, sum->losses[i]));
}

Tensor *weighted_sum(Tape *tape, Tensor *const *losses, const double *weights, size_t count) {
    assert(count <= WEIGHTED_SUM_MOST);
    WeightedSum *sum = TAPE_CONTEXT(tape, WeightedSum, .scalars.count = count);
    bool needs = false;
    for (size_t i = 0; i < count; i++) {
        sum->losses[i] = losses[i];
        sum->scalars.values[i] = losses[i]->value;
        sum->scalars.weights[i] = weights[i];
        needs = needs || losses[i]->needs_gradient;
    }
    sum->y = tape_tensor(tape, 1, 1, needs);
    tape->backend->elements->weighted_sum(&sum->scalars, sum->y->value);
    tape_record(tape, sum->y, weighted_sum_backward, sum);
    return sum->y;
}

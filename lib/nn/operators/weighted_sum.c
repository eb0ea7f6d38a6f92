#include "nn/operators/operators.h"

typedef struct WeightedSum {
    Tensor **losses, *y;
    double *weights;
    size_t count;
} WeightedSum;

static void weighted_sum_backward(Tape *tape, void *context) {
    const WeightedSum *sum = context;
    for (size_t i = 0; i < sum->count; i++)
        if (sum->losses[i]->needs_gradient)
            *tape_gradient(tape, sum->losses[i]) += (float)sum->weights[i] * *sum->y->gradient;
}

Tensor *weighted_sum(Tape *tape, Tensor *const *losses, const double *weights, size_t count) {
    WeightedSum *sum = TAPE_CONTEXT(tape, WeightedSum, arena_take(tape->arena, count, sizeof(Tensor *)), NULL,
                                    arena_take(tape->arena, count, sizeof(double)), count);
    double total = 0;
    bool needs = false;
    for (size_t i = 0; i < count; i++) {
        sum->losses[i] = losses[i];
        sum->weights[i] = weights[i];
        total += weights[i] * (double)*losses[i]->value;
        needs = needs || losses[i]->needs_gradient;
    }
    sum->y = tape_tensor(tape, 1, 1, needs);
    *sum->y->value = (float)total;
    tape_record(tape, sum->y, weighted_sum_backward, sum);
    return sum->y;
}

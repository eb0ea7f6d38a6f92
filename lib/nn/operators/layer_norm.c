#include "nn/operators/operators.h"

typedef struct LayerNorm {
    Tensor *residual, *x, *y; /* residual is NULL for the plain layer norm */
    Parameter *weight, *bias;
    float *n, *inverse; /* what the kernel keeps for backward */
    Dropout dropout;
} LayerNorm;

static float *take_gradient(Tape *tape, Tensor *tensor, bool *adds) {
    float beta = 0;
    float *gradient = tensor && tensor->needs_gradient ? tape_gradient_target(tape, tensor, &beta) : NULL;
    *adds = beta != 0;
    return gradient;
}

static void layer_norm_backward(Tape *tape, void *context) {
    const LayerNorm *norm = context;
    Parameter *weight = norm->weight, *bias = norm->bias;
    LayerNormBackward step = {
        .rows = norm->x->rows,
        .columns = norm->x->columns,
        .weight = weight->value,
        .n = norm->n,
        .inverse = norm->inverse,
        .dy = norm->y->gradient,
        .dropout = norm->dropout,
        .weight_gradient = weight->trainable ? parameter_gradient(weight, tape->backend) : NULL,
        .bias_gradient = bias->trainable ? parameter_gradient(bias, tape->backend) : NULL};
    step.dresidual = take_gradient(tape, norm->residual, &step.residual_adds);
    step.dx = take_gradient(tape, norm->x, &step.x_adds);
    tape->backend->layer_norm->backward(&step, tape->values);
    tape_release(tape, norm->n, step.rows * step.columns * sizeof *norm->n);
}

Tensor *residual_layer_norm(Tape *tape, Tensor *residual, Tensor *x, double dropout_rate, Parameter *weight,
                            Parameter *bias, double epsilon) {
    const bool needs =
        x->needs_gradient || (residual && residual->needs_gradient) || weight->trainable || bias->trainable;
    Tensor *y = tape_tensor(tape, x->rows, x->columns, needs);
    LayerNorm *norm = TAPE_CONTEXT(tape, LayerNorm, .residual = residual, .x = x, .y = y, .weight = weight,
                                   .bias = bias, .dropout = tape_dropout(tape, residual ? dropout_rate : 0));
    if (y->needs_gradient) {
        norm->n = tape_take(tape, x->rows * x->columns, sizeof *norm->n);
        norm->inverse = tape_take(tape, x->rows, sizeof *norm->inverse);
    }
    tape_take_rounded(tape, y);
    tape->backend->layer_norm->forward(&(LayerNormForward){.rows = x->rows,
                                                           .columns = x->columns,
                                                           .residual = residual ? residual->value : NULL,
                                                           .x = x->value,
                                                           .weight = weight->value,
                                                           .bias = bias->value,
                                                           .dropout = norm->dropout,
                                                           .epsilon = (float)epsilon,
                                                           .y = y->value,
                                                           .rounded = y->rounded,
                                                           .n = norm->n,
                                                           .inverse = norm->inverse});
    tape_record(tape, y, layer_norm_backward, norm);
    return y;
}

Tensor *layer_norm(Tape *tape, Tensor *x, Parameter *weight, Parameter *bias, double epsilon) {
    return residual_layer_norm(tape, NULL, x, 0, weight, bias, epsilon);
}

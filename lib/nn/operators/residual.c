#include "nn/operators/operators.h"

typedef struct Residual {
    Tensor *residual, *x, *y; /* residual is NULL for plain dropout */
    Dropout dropout;
} Residual;

static void residual_backward(Tape *tape, void *context) {
    const Residual *r = context;
    if (r->x->needs_gradient) {
        float beta, *dx = tape_gradient_target(tape, r->x, &beta);
        tape->backend->elements->add_dropped(r->y->rows * r->y->columns, beta != 0 ? dx : NULL,
                                             r->y->gradient, r->dropout, dx);
    }
    if (r->residual) tape_pass_gradient(tape, r->y, r->residual);
}

static Tensor *add(Tape *tape, Tensor *residual, Tensor *x, double dropout_rate) {
    const bool needs = x->needs_gradient || (residual && residual->needs_gradient);
    Tensor *y = tape_tensor(tape, x->rows, x->columns, needs);
    const Dropout drops = tape_dropout(tape, dropout_rate);
    tape->backend->elements->add_dropped(y->rows * y->columns, residual ? residual->value : NULL, x->value,
                                         drops, y->value);
    tape_record(tape, y, residual_backward, TAPE_CONTEXT(tape, Residual, residual, x, y, drops));
    return y;
}

Tensor *residual_add(Tape *tape, Tensor *residual, Tensor *x, double dropout_rate) {
    return add(tape, residual, x, dropout_rate);
}

Tensor *dropout(Tape *tape, Tensor *x, double rate) {
    return tape->recording && rate > 0 ? add(tape, NULL, x, rate) : x;
}

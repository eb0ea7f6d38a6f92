#include "nn/operators/linear_gradient.h"
#include "nn/operators/operators.h"

typedef struct Linear {
    Tensor *x, *y;
    Parameter *weight, *bias;
    Activation activation;
    float *before; /* the activation's input; y's own values where those will do for backward */
} Linear;

Matrix linear_gradient(Tape *tape, Activation activation, float *before, float *dy, size_t rows,
                       size_t columns, Parameter *bias) {
    const Backend *backend = tape->backend;
    const bool is_plain = activation == ACTIVATION_NONE;
    float *bias_gradient = bias && bias->trainable ? parameter_gradient(bias, backend) : NULL;
    uint16_t *rounded = backend->rounds ? tape_take(tape, rows * columns, sizeof *rounded) : NULL;
    if (!is_plain || bias_gradient || rounded)
        backend->activations->backward(rows, columns, activation, (Values){is_plain ? NULL : before, NULL},
                                       (Values){NULL, NULL}, dy, rounded, bias_gradient, tape->values);
    return (Matrix){dy, columns, false, rounded, NULL};
}

static size_t rows_at_once(const Tape *tape, const Tensor *x, const Tensor *y) {
    return backend_rows_at_once(tape->backend, x->columns > y->columns ? x->columns : y->columns);
}

/* Of the rows first … first + rows − 1. */
static void rows_backward(Tape *tape, const Linear *l, size_t first, size_t rows, Matrix x, float *dx,
                          float beta) {
    const Backend *backend = tape->backend;
    const size_t in = l->x->columns, out = l->y->columns;
    const Matrix gradient = linear_gradient(tape, l->activation, l->before + first * out,
                                            l->y->gradient + first * out, rows, out, l->bias);
    if (l->weight->trainable) {
        float adds, *to = parameter_gradient_target(l->weight, &adds);
        backend->matmul(out, in, rows, transposed(gradient), rows_from(x, first), adds, to, in);
    }
    if (dx) backend->matmul(rows, in, out, gradient, parameter_matrix(l->weight), beta, dx + first * in, in);
}

static void linear_backward(Tape *tape, void *context) {
    const Linear *l = context;
    const size_t all = l->x->rows, step = rows_at_once(tape, l->x, l->y);
    const Matrix x = l->weight->trainable ? tape_matrix(tape, l->x) : (Matrix){0};
    float beta = 0;
    float *dx = l->x->needs_gradient ? tape_gradient_target(tape, l->x, &beta) : NULL;
    const ArenaMark mark = arena_mark(tape->values);
    size_t first = 0;
    do { /* without rows, too: the gradient is zero then */
        rows_backward(tape, l, first, all - first < step ? all - first : step, x, dx, beta);
        arena_rewind(tape->values, mark);
        first += step;
    } while (first < all);
    if (l->before != l->y->value) tape_release(tape, l->before, all * l->y->columns * sizeof *l->before);
}

/* The slope of ReLU can be told from its value. */
static bool keeps_input(Activation activation) {
    return activation != ACTIVATION_NONE && activation != ACTIVATION_RELU;
}

Tensor *linear(Tape *tape, Tensor *x, Parameter *weight, Parameter *bias, Activation activation) {
    const bool trains = weight->trainable || (bias && bias->trainable);
    Tensor *y = tape_tensor(tape, x->rows, weight->rows, x->needs_gradient || trains);
    const size_t all = x->rows, in = x->columns, out = y->columns, step = rows_at_once(tape, x, y);
    const bool keeps = y->needs_gradient && keeps_input(activation);
    float *before = keeps ? tape_take(tape, all * out, sizeof *before) : y->value;
    const Matrix input = tape_matrix(tape, x), weights = parameter_matrix(weight);
    for (size_t first = 0; first < all; first += step) {
        const size_t rows = all - first < step ? all - first : step;
        float *z = before + first * out;
        tape->backend->matmul(rows, out, in, rows_from(input, first), transposed(weights), 0, z, out);
        if (bias || activation != ACTIVATION_NONE)
            tape->backend->activations->forward(rows, out, activation, bias ? bias->value : NULL, z, NULL,
                                                (Values){y->value + first * out, NULL});
    }
    tape_record(tape, y, linear_backward, TAPE_CONTEXT(tape, Linear, x, y, weight, bias, activation, before));
    return y;
}

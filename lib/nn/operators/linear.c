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

/* Of the rows first … first + rows − 1; `before` is where the product and the bias are left. */
static void rows_forward(Tape *tape, const Linear *l, size_t first, size_t rows, Matrix x) {
    const Backend *backend = tape->backend;
    const size_t in = l->x->columns, out = l->y->columns;
    const Matrix weights = transposed(parameter_matrix(l->weight));
    const float *bias = l->bias ? l->bias->value : NULL;
    float *z = l->before + first * out, *y = l->y->value + first * out;
    if (bias && l->activation == ACTIVATION_NONE) {
        backend_matmul_with_bias(backend, rows, out, in, x, weights, bias, z);
        return;
    }
    backend->matmul(rows, out, in, x, weights, 0, z, out);
    if (l->activation != ACTIVATION_NONE)
        backend->activations->forward(rows, out, l->activation, bias, z, NULL, (Values){y, NULL});
}

Tensor *linear(Tape *tape, Tensor *x, Parameter *weight, Parameter *bias, Activation activation) {
    const bool trains = weight->trainable || (bias && bias->trainable);
    Tensor *y = tape_tensor(tape, x->rows, weight->rows, x->needs_gradient || trains);
    const size_t all = x->rows, step = rows_at_once(tape, x, y);
    const bool keeps = y->needs_gradient && keeps_input(activation);
    float *before = keeps ? tape_take(tape, all * y->columns, sizeof *before) : y->value;
    Linear *l = TAPE_CONTEXT(tape, Linear, x, y, weight, bias, activation, before);
    const Matrix input = tape_matrix(tape, x);
    for (size_t first = 0; first < all; first += step)
        rows_forward(tape, l, first, all - first < step ? all - first : step, rows_from(input, first));
    tape_record(tape, y, linear_backward, l);
    return y;
}

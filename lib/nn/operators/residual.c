#include "nn/dropout.h"
#include "nn/operators/kernels.h"
#include "nn/operators/operators.h"

typedef struct Residual {
    Tensor *residual, *x, *y; /* residual is NULL for plain dropout */
    bool drops;
    Dropout dropout;
} Residual;

/* to[i] = value for all i < count: a loop for each case, so that each is vectorised. */
#define PUT(value)                                                                                           \
    _Pragma("omp parallel for simd schedule(static) if (count > PARALLEL_ELEMENTS)") for (size_t i = 0;      \
                                                                                          i < count; i++)    \
        to[i] = (value)

/* to = dropout(from), or to += it. */
static void put_dropped(size_t count, const float *from, const Residual *r, bool adds, float *to) {
    const Dropout dropout_ = r->dropout;
    if (adds && r->drops)
        PUT(to[i] + from[i] * dropout_factor(dropout_, i));
    else if (adds)
        PUT(to[i] + from[i]);
    else if (r->drops)
        PUT(from[i] * dropout_factor(dropout_, i));
    else
        PUT(from[i]);
}

/* to = residual + dropout(x). */
static void add_dropped(size_t count, const float *residual, const float *x, const Residual *r, float *to) {
    const Dropout dropout_ = r->dropout;
    if (r->drops)
        PUT(residual[i] + x[i] * dropout_factor(dropout_, i));
    else
        PUT(residual[i] + x[i]);
}

static void residual_backward(Tape *tape, void *context) {
    const Residual *r = context;
    if (r->x->needs_gradient) {
        float beta, *dx = tape_gradient_target(tape, r->x, &beta);
        put_dropped(r->y->rows * r->y->columns, r->y->gradient, r, beta != 0, dx);
    }
    if (r->residual) tape_pass_gradient(tape, r->y, r->residual);
}

Tensor *residual_add(Tape *tape, Tensor *residual, Tensor *x, double dropout_rate) {
    const bool drops = tape->recording && dropout_rate > 0, needs = residual && residual->needs_gradient;
    Tensor *y = tape_tensor(tape, x->rows, x->columns, x->needs_gradient || needs);
    const Residual *r =
        TAPE_CONTEXT(tape, Residual, residual, x, y, drops,
                     drops ? dropout_create(dropout_rate, tape_dropout_seed(tape)) : (Dropout){.scale = 1});
    const size_t count = y->rows * y->columns;
    if (residual)
        add_dropped(count, residual->value, x->value, r, y->value);
    else
        put_dropped(count, x->value, r, false, y->value);
    tape_record(tape, y, residual_backward, (void *)r);
    return y;
}

Tensor *dropout(Tape *tape, Tensor *x, double rate) {
    return tape->recording && rate > 0 ? residual_add(tape, NULL, x, rate) : x;
}

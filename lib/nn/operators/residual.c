#include "nn/dropout.h"
#include "nn/operators/kernels.h"
#include "nn/operators/operators.h"

typedef struct Residual {
    Tensor *residual, *x, *y; /* residual is NULL for plain dropout */
    bool drops;
    Dropout dropout;
} Residual;

static void residual_backward(Tape *tape, void *context) {
    const Residual *r = context;
    const size_t count = r->y->rows * r->y->columns;
    const float *dy = r->y->gradient;
    if (!dy) return;
    if (r->residual && r->residual->needs_gradient) add_elements(count, dy, tape_gradient(tape, r->residual));
    if (!r->x->needs_gradient) return;
    float *dx = tape_gradient(tape, r->x);
    if (!r->drops) {
        add_elements(count, dy, dx);
        return;
    }
#pragma omp parallel for simd schedule(static) if (count > PARALLEL_ELEMENTS)
    for (size_t i = 0; i < count; i++)
        dx[i] += dy[i] * dropout_factor(r->dropout, i);
}

/* y = residual + dropout(x); one loop for each case, so that each is vectorised. */
static void add_dropped(size_t count, const float *residual, const float *x, const Residual *r, float *y) {
#define PUT(value)                                                                                           \
    _Pragma("omp parallel for simd schedule(static) if (count > PARALLEL_ELEMENTS)") for (size_t i = 0;      \
                                                                                          i < count; i++)    \
        y[i] = (value)
    const Dropout dropout_ = r->dropout;
    if (residual && r->drops)
        PUT(residual[i] + x[i] * dropout_factor(dropout_, i));
    else if (residual)
        PUT(residual[i] + x[i]);
    else
        PUT(x[i] * dropout_factor(dropout_, i));
#undef PUT
}

Tensor *residual_add(Tape *tape, Tensor *residual, Tensor *x, double dropout_rate) {
    const bool drops = tape->recording && dropout_rate > 0, needs = residual && residual->needs_gradient;
    Tensor *y = tape_tensor(tape, x->rows, x->columns, x->needs_gradient || needs);
    const Residual *r =
        TAPE_CONTEXT(tape, Residual, residual, x, y, drops,
                     drops ? dropout_create(dropout_rate, tape_dropout_seed(tape)) : (Dropout){.scale = 1});
    const size_t count = y->rows * y->columns;
    add_dropped(count, residual ? residual->value : NULL, x->value, r, y->value);
    if (y->needs_gradient) tape_record(tape, residual_backward, (void *)r);
    return y;
}

Tensor *dropout(Tape *tape, Tensor *x, double rate) {
    return tape->recording && rate > 0 ? residual_add(tape, NULL, x, rate) : x;
}

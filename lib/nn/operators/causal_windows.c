#include "nn/operators/operators.h"

typedef struct CausalWindows {
    Tensor *x, *y;
    size_t length, kernel, dilation;
} CausalWindows;

static void causal_windows_backward(Tape *tape, void *context) {
    const CausalWindows *w = context;
    tape->backend->sequences->windows_backward(w->x->rows, w->x->columns, w->length, w->kernel, w->dilation,
                                               w->y->gradient, tape_gradient(tape, w->x));
}

Tensor *causal_windows(Tape *tape, Tensor *x, size_t length, size_t kernel, size_t dilation) {
    Tensor *y = tape_tensor(tape, x->rows, x->columns * kernel, x->needs_gradient);
    tape->backend->sequences->windows(x->rows, x->columns, length, kernel, dilation, x->value, y->value);
    tape_record(tape, y, causal_windows_backward,
                TAPE_CONTEXT(tape, CausalWindows, x, y, length, kernel, dilation));
    return y;
}

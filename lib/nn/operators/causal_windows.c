#include "nn/operators/operators.h"

typedef struct CausalWindows {
    Tensor *x, *y;
    Steps steps;
    size_t kernel, dilation;
} CausalWindows;

static void causal_windows_backward(Tape *tape, void *context) {
    const CausalWindows *w = context;
    tape->backend->sequences->windows_backward(w->steps, w->x->columns, w->kernel, w->dilation,
                                               w->y->gradient, tape_gradient(tape, w->x));
}

Tensor *causal_windows(Tape *tape, Tensor *x, Segments steps, size_t kernel, size_t dilation) {
    const Steps uploaded = {x->rows, steps.count, tape_upload_offsets(tape, steps)};
    Tensor *y = tape_tensor(tape, x->rows, x->columns * kernel, x->needs_gradient);
    tape->backend->sequences->windows(uploaded, x->columns, kernel, dilation, x->value, y->value);
    tape_record(tape, y, causal_windows_backward,
                TAPE_CONTEXT(tape, CausalWindows, x, y, uploaded, kernel, dilation));
    return y;
}

#include "nn/operators/kernels.h"
#include "nn/operators/operators.h"

typedef struct CausalWindows {
    Tensor *x, *y;
    size_t length, kernel, dilation;
} CausalWindows;

/* By sequence, so that each writes to rows of its own. */
static void causal_windows_backward(Tape *tape, void *context) {
    const CausalWindows *w = context;
    const size_t columns = w->x->columns, wide = w->y->columns, length = w->length;
    float *dx = tape_gradient(tape, w->x);
#pragma omp parallel for schedule(static) if (w->y->rows * wide > PARALLEL_ELEMENTS)
    for (size_t start = 0; start < w->x->rows; start += length)
        for (size_t t = 0; t < length; t++)
            for (size_t k = 0; k < w->kernel; k++) {
                const size_t back = (w->kernel - 1 - k) * w->dilation;
                if (back > t) continue;
                const float *from = w->y->gradient + (start + t) * wide + k;
                float *to = dx + (start + t - back) * columns;
                for (size_t j = 0; j < columns; j++)
                    to[j] += from[j * w->kernel];
            }
}

Tensor *causal_windows(Tape *tape, Tensor *x, size_t length, size_t kernel, size_t dilation) {
    const size_t columns = x->columns, wide = columns * kernel;
    Tensor *y = tape_tensor(tape, x->rows, wide, x->needs_gradient);
#pragma omp parallel for schedule(static) if (y->rows * wide > PARALLEL_ELEMENTS)
    for (size_t row = 0; row < x->rows; row++)
        for (size_t k = 0; k < kernel; k++) {
            const size_t back = (kernel - 1 - k) * dilation;
            const float *from = back > row % length ? NULL : x->value + (row - back) * columns;
            float *to = y->value + row * wide + k;
            for (size_t j = 0; j < columns; j++)
                to[j * kernel] = from ? from[j] : 0;
        }
    tape_record(tape, y, causal_windows_backward,
                TAPE_CONTEXT(tape, CausalWindows, x, y, length, kernel, dilation));
    return y;
}

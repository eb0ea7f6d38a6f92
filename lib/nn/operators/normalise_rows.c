#include "nn/operators/kernels.h"
#include "nn/operators/operators.h"

#include <math.h>

#define SMALLEST_NORM 1e-12f

typedef struct NormaliseRows {
    Tensor *x, *y;
    float *inverse; /* by row: 1 / norm */
} NormaliseRows;

/* dx = (dy − y (y · dy)) / norm. */
static void normalise_rows_backward(Tape *tape, void *context) {
    const NormaliseRows *n = context;
    const size_t rows = n->y->rows, columns = n->y->columns;
    float *all = tape_gradient(tape, n->x);
#pragma omp parallel for schedule(static) if (rows * columns > PARALLEL_ELEMENTS)
    for (size_t i = 0; i < rows; i++) {
        const float *y = n->y->value + i * columns, *dy = n->y->gradient + i * columns;
        float *dx = all + i * columns, product = 0;
#pragma omp simd reduction(+ : product)
        for (size_t j = 0; j < columns; j++)
            product += y[j] * dy[j];
#pragma omp simd
        for (size_t j = 0; j < columns; j++)
            dx[j] += (dy[j] - y[j] * product) * n->inverse[i];
    }
}

Tensor *normalise_rows(Tape *tape, Tensor *x) {
    const size_t rows = x->rows, columns = x->columns;
    Tensor *y = tape_tensor(tape, rows, columns, x->needs_gradient);
    const NormaliseRows *n =
        TAPE_CONTEXT(tape, NormaliseRows, x, y, arena_take(tape->arena, rows, sizeof(float)));
#pragma omp parallel for schedule(static) if (rows * columns > PARALLEL_ELEMENTS)
    for (size_t i = 0; i < rows; i++) {
        const float *from = x->value + i * columns;
        float squares = 0;
#pragma omp simd reduction(+ : squares)
        for (size_t j = 0; j < columns; j++)
            squares += from[j] * from[j];
        const float norm = sqrtf(squares), inverse = 1 / (norm > SMALLEST_NORM ? norm : SMALLEST_NORM);
        n->inverse[i] = inverse;
#pragma omp simd
        for (size_t j = 0; j < columns; j++)
            y->value[i * columns + j] = from[j] * inverse;
    }
    tape_record(tape, y, normalise_rows_backward, (void *)n);
    return y;
}

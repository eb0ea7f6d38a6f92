#include "nn/backend/cpu/kernels.h"
#include "nn/backend/cpu/rounding.h"
#include "nn/backend/cpu/vector_math.h"

#include <string.h>

/* Each with its value and its slope from the same intermediate results. */
typedef struct Point {
    float value, slope;
} Point;

static inline Point relu_at(float z) {
    return (Point){z > 0 ? z : 0, z > 0 ? 1 : 0};
}

static inline Point gelu_at(float z) {
    const float below = vector_normal_below(z);
    return (Point){z * below, below + vector_normal_moment(z)};
}

static inline Point quick_gelu_at(float z) {
    const float s = vector_sigmoid(1.702f * z);
    return (Point){z * s, s + 1.702f * z * s * (1.0f - s)};
}

static inline Point sigmoid_at(float z) {
    const float s = vector_sigmoid(z);
    return (Point){s, s * (1.0f - s)};
}

/* Inlined with constant functions, so that each becomes a loop of its own that is vectorised. */
typedef Point Function(float z);

static inline __attribute__((always_inline)) void put_values(Function *at, size_t count, const float *z,
                                                             float *y) {
#pragma omp simd
    for (size_t i = 0; i < count; i++)
        y[i] = at(z[i]).value;
}

static inline __attribute__((always_inline)) void put_slopes(Function *at, size_t count, const float *z,
                                                             float *y, float *gradient) {
#pragma omp simd
    for (size_t i = 0; i < count; i++) {
        const Point point = at(z[i]);
        y[i] = point.value;
        gradient[i] *= point.slope;
    }
}

/* y = activation(z); they may be the same memory. */
static void activate_row(Activation activation, size_t count, const float *z, float *y) {
    switch (activation) {
    case ACTIVATION_NONE:
        if (z != y) copy_rows(1, count, z, y);
        break;
    case ACTIVATION_RELU:
        put_values(relu_at, count, z, y);
        break;
    case ACTIVATION_GELU:
        put_values(gelu_at, count, z, y);
        break;
    case ACTIVATION_QUICK_GELU:
        put_values(quick_gelu_at, count, z, y);
        break;
    case ACTIVATION_SIGMOID:
        put_values(sigmoid_at, count, z, y);
        break;
    }
}

/* y = activation(z) and gradient = gradient · activation′(z). */
static void activate_row_backward(Activation activation, size_t count, const float *z, float *y,
                                  float *gradient) {
    switch (activation) {
    case ACTIVATION_NONE:
        copy_rows(1, count, z, y);
        break;
    case ACTIVATION_RELU:
        put_slopes(relu_at, count, z, y, gradient);
        break;
    case ACTIVATION_GELU:
        put_slopes(gelu_at, count, z, y, gradient);
        break;
    case ACTIVATION_QUICK_GELU:
        put_slopes(quick_gelu_at, count, z, y, gradient);
        break;
    case ACTIVATION_SIGMOID:
        put_slopes(sigmoid_at, count, z, y, gradient);
        break;
    }
}

enum { PIECE = 256 }; /* columns at a time */

static void forward(size_t rows, size_t columns, Activation activation, const float *bias, float *z,
                    uint16_t *kept, Values y) {
#pragma omp parallel for schedule(static) if (rows * columns > PARALLEL_ELEMENTS)
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < columns; j += PIECE) {
            const size_t count = smaller(PIECE, columns - j), at = i * columns + j;
            float piece[PIECE], *to = y.values ? y.values + at : piece;
            if (bias) add_row(count, bias + j, z + at);
            if (kept) round_row(count, z + at, kept + at);
            activate_row(activation, count, z + at, to);
            if (y.rounded) round_row(count, to, y.rounded + at);
        }
}

/* What a thread takes at a time backward: so many rows of so many columns. */
enum { BLOCK_ROWS = 64 };

typedef struct ActivationBackward {
    size_t rows, columns;
    Activation activation;
    Values z, y;
    float *gradient;
    uint16_t *rounded;
} ActivationBackward;

/* Of a block of rows, `count` columns from `first` on; sums [count] receives those of the new gradient. */
static void backward_piece(const ActivationBackward *step, size_t block, size_t first, size_t count,
                           float *sums) {
    const size_t end = smaller((block + 1) * BLOCK_ROWS, step->rows);
    float widened[PIECE], piece[PIECE];
    memset(sums, 0, count * sizeof *sums);
    for (size_t i = block * BLOCK_ROWS; i < end; i++) {
        const size_t at = i * step->columns + first;
        float *gradient = step->gradient + at, *y = step->y.values ? step->y.values + at : &piece[0];
        if (step->z.rounded) widen_row(count, step->z.rounded + at, widened);
        if (step->z.rounded || step->z.values)
            activate_row_backward(step->activation, count, step->z.rounded ? widened : step->z.values + at, y,
                                  gradient);
        if (step->y.rounded) round_row(count, y, step->y.rounded + at);
        if (step->rounded) round_row(count, gradient, step->rounded + at);
        add_row(count, gradient, sums);
    }
}

static void backward(size_t rows, size_t columns, Activation activation, Values z, Values y, float *gradient,
                     uint16_t *rounded, float *bias_gradient, Arena *scratch) {
    const ActivationBackward step = {rows, columns, activation, z, y, gradient, rounded};
    const size_t blocks = shares(rows, BLOCK_ROWS);
    const ArenaMark mark = arena_mark(scratch);
    float *sums = arena_take(scratch, blocks * columns, sizeof *sums);
#pragma omp parallel for collapse(2) schedule(static) if (rows * columns > PARALLEL_ELEMENTS)
    for (size_t block = 0; block < blocks; block++)
        for (size_t j = 0; j < columns; j += PIECE)
            backward_piece(&step, block, j, smaller(PIECE, columns - j), sums + block * columns + j);
    for (size_t block = 0; bias_gradient && block < blocks; block++)
        add_row(columns, sums + block * columns, bias_gradient);
    arena_rewind(scratch, mark);
}

const ActivationKernels cpu_activations = {forward, backward};

#include "nn/backend/cpu/kernels.h"
#include "nn/backend/cpu/rounding.h"
#include "nn/backend/cpu/vector_math.h"

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

static void backward(size_t rows, size_t columns, Activation activation, Values z, Values y, float *gradient,
                     uint16_t *rounded, float *bias_gradient, Arena *scratch) {
    (void)scratch;
#pragma omp parallel for schedule(static) if (rows * columns > PARALLEL_ELEMENTS)
    for (size_t j = 0; j < columns; j += PIECE) {
        const size_t count = smaller(PIECE, columns - j);
        float widened[PIECE], piece[PIECE], sums[PIECE] = {0};
        for (size_t i = 0; i < rows; i++) {
            const size_t at = i * columns + j;
            float *to = y.values ? y.values + at : piece;
            if (z.rounded) widen_row(count, z.rounded + at, widened);
            activate_row_backward(activation, count, z.rounded ? widened : z.values + at, to, gradient + at);
            if (y.rounded) round_row(count, to, y.rounded + at);
            if (rounded) round_row(count, gradient + at, rounded + at);
            add_row(count, gradient + at, sums);
        }
        if (bias_gradient) add_row(count, sums, bias_gradient + j);
    }
}

const ActivationKernels cpu_activations = {forward, backward};

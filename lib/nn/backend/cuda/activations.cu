#include "column_sums.h"
#include "table.h"
#include "values.h"

typedef struct Point {
    float value, slope;
} Point;

/* GELU's slope is Φ(z) + z·φ(z). */
static __device__ inline Point activation_at(Activation activation, float z) {
    switch (activation) {
    case ACTIVATION_RELU:
        return {z > 0 ? z : 0, z > 0 ? 1.0f : 0.0f};
    case ACTIVATION_GELU: {
        const float below = normcdff(z);
        return {z * below, below + z * 0.398942280f * expf(-0.5f * z * z)};
    }
    case ACTIVATION_QUICK_GELU: {
        const float s = sigmoid(1.702f * z);
        return {z * s, s + 1.702f * z * s * (1.0f - s)};
    }
    case ACTIVATION_SIGMOID: {
        const float s = sigmoid(z);
        return {s, s * (1.0f - s)};
    }
    case ACTIVATION_NONE:
        break;
    }
    return {z, 1.0f};
}

static __device__ inline void put(Values to, size_t at, float value) {
    if (to.values) to.values[at] = value;
    if (to.rounded) to.rounded[at] = round_to_bf16(value);
}

static void forward(size_t rows, size_t columns, Activation activation, const float *bias, float *z,
                    uint16_t *kept, Values y) {
    each_cell(rows, columns, [=] __device__(size_t i, size_t j) {
        const size_t at = i * columns + j;
        const float value = z[at] + (bias ? bias[j] : 0);
        if (bias) z[at] = value;
        if (kept) kept[at] = round_to_bf16(value);
        put(y, at, activation_at(activation, value).value);
    });
}

static void backward(size_t rows, size_t columns, Activation activation, Values z, Values y, float *gradient,
                     uint16_t *rounded, float *bias_gradient, Arena *) {
    each(rows * columns, [=] __device__(size_t at) {
        const float before = z.rounded ? widen_bf16(z.rounded[at]) : z.values ? z.values[at] : 0;
        const Point point = activation_at(activation, before);
        put(y, at, point.value);
        put({gradient, rounded}, at, gradient[at] * point.slope);
    });
    if (bias_gradient)
        add_column_sums(rows, columns, bias_gradient,
                        [=] __device__(size_t i, size_t j) { return gradient[i * columns + j]; });
}

const ActivationKernels cuda_activations = {forward, backward};

#include "nn/activation.h"

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

#define VALUES(function) _Pragma("omp simd") for (size_t i = 0; i < count; i++) y[i] = function(z[i]).value
#define SLOPES(function)                                                                                     \
    _Pragma("omp simd") for (size_t i = 0; i < count; i++) {                                                 \
        const Point point = function(z[i]);                                                                  \
        y[i] = point.value;                                                                                  \
        gradient[i] *= point.slope;                                                                          \
    }

void activate_row(Activation activation, size_t count, const float *z, float *y) {
    switch (activation) {
    case ACTIVATION_NONE:
        if (z != y) memcpy(y, z, count * sizeof *y);
        break;
    case ACTIVATION_RELU:
        VALUES(relu_at);
        break;
    case ACTIVATION_GELU:
        VALUES(gelu_at);
        break;
    case ACTIVATION_QUICK_GELU:
        VALUES(quick_gelu_at);
        break;
    case ACTIVATION_SIGMOID:
        VALUES(sigmoid_at);
        break;
    }
}

void activate_row_backward(Activation activation, size_t count, const float *z, float *y, float *gradient) {
    switch (activation) {
    case ACTIVATION_NONE:
        if (z != y) memcpy(y, z, count * sizeof *y);
        break;
    case ACTIVATION_RELU:
        SLOPES(relu_at);
        break;
    case ACTIVATION_GELU:
        SLOPES(gelu_at);
        break;
    case ACTIVATION_QUICK_GELU:
        SLOPES(quick_gelu_at);
        break;
    case ACTIVATION_SIGMOID:
        SLOPES(sigmoid_at);
        break;
    }
}

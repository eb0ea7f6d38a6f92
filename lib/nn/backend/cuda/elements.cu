#include "device.h"
#include "table.h"
#include "values.h"

static void round_values(size_t count, const float *from, uint16_t *to) {
    each(count, [=] __device__(size_t i) { to[i] = round_to_bf16(from[i]); });
}

static void add(size_t count, const float *from, float *to) {
    each(count, [=] __device__(size_t i) { to[i] += from[i]; });
}

static void add_scaled(size_t count, float factor, const float *scale, const float *from, float *to) {
    each(count, [=] __device__(size_t i) { to[i] += (scale ? factor * *scale : factor) * from[i]; });
}

static void multiply(size_t count, const float *a, const float *b, float *to) {
    each(count, [=] __device__(size_t i) { to[i] = a[i] * b[i]; });
}

static void add_products(size_t count, const float *a, const float *b, float *to) {
    each(count, [=] __device__(size_t i) { to[i] += a[i] * b[i]; });
}

static void relu(size_t count, const float *x, float *y) {
    each(count, [=] __device__(size_t i) { y[i] = x[i] > 0 ? x[i] : 0; });
}

static void relu_backward(size_t count, const float *y, const float *dy, float *dx) {
    each(count, [=] __device__(size_t i) { dx[i] += y[i] > 0 ? dy[i] : 0; });
}

static void add_dropped(size_t count, const float *base, const float *x, Dropout dropout, float *to) {
    each(count,
         [=] __device__(size_t i) { to[i] = (base ? base[i] : 0) + x[i] * dropout_factor(dropout, i); });
}

static void weighted_sum(const WeightedScalars *scalars, float *to) {
    const WeightedScalars terms = *scalars;
    each(1, [=] __device__(size_t) {
        double sum = 0;
        for (size_t i = 0; i < terms.count; i++)
            sum += terms.weights[i] * static_cast<double>(*terms.values[i]);
        *to = static_cast<float>(sum);
    });
}

const ElementKernels cuda_elements = {round_values, add,           add_scaled,  multiply,    add_products,
                                      relu,         relu_backward, add_dropped, weighted_sum};

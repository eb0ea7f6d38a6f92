#include "nn/backend/cpu/kernels.h"
#include "nn/backend/cpu/rounding.h"

static void add(size_t count, const float *from, float *to) {
#pragma omp parallel for simd schedule(static) if (count > PARALLEL_ELEMENTS)
    for (size_t i = 0; i < count; i++)
        to[i] += from[i];
}

static void add_scaled(size_t count, float factor, const float *scale, const float *from, float *to) {
    const float whole = scale ? factor * *scale : factor;
#pragma omp parallel for simd schedule(static) if (count > PARALLEL_ELEMENTS)
    for (size_t i = 0; i < count; i++)
        to[i] += whole * from[i];
}

static void multiply(size_t count, const float *a, const float *b, float *to) {
#pragma omp parallel for simd schedule(static) if (count > PARALLEL_ELEMENTS)
    for (size_t i = 0; i < count; i++)
        to[i] = a[i] * b[i];
}

static void add_products(size_t count, const float *a, const float *b, float *to) {
#pragma omp parallel for simd schedule(static) if (count > PARALLEL_ELEMENTS)
    for (size_t i = 0; i < count; i++)
        to[i] += a[i] * b[i];
}

static void relu(size_t count, const float *x, float *y) {
#pragma omp parallel for simd schedule(static) if (count > PARALLEL_ELEMENTS)
    for (size_t i = 0; i < count; i++)
        y[i] = x[i] > 0 ? x[i] : 0;
}

static void relu_backward(size_t count, const float *y, const float *dy, float *dx) {
#pragma omp parallel for simd schedule(static) if (count > PARALLEL_ELEMENTS)
    for (size_t i = 0; i < count; i++)
        dx[i] += y[i] > 0 ? dy[i] : 0;
}

static void add_all_dropped(size_t count, const float *base, const float *x, Dropout dropout, float *to) {
#pragma omp parallel for simd schedule(static) if (count > PARALLEL_ELEMENTS)
    for (size_t i = 0; i < count; i++)
        to[i] = base[i] + x[i] * dropout_factor(dropout, i);
}

static void put_all_dropped(size_t count, const float *x, Dropout dropout, float *to) {
#pragma omp parallel for simd schedule(static) if (count > PARALLEL_ELEMENTS)
    for (size_t i = 0; i < count; i++)
        to[i] = x[i] * dropout_factor(dropout, i);
}

static void add_both(size_t count, const float *a, const float *b, float *to) {
#pragma omp parallel for simd schedule(static) if (count > PARALLEL_ELEMENTS)
    for (size_t i = 0; i < count; i++)
        to[i] = a[i] + b[i];
}

static void add_dropped(size_t count, const float *base, const float *x, Dropout dropout, float *to) {
    const bool drops = dropout_drops(dropout);
    if (base && drops)
        add_all_dropped(count, base, x, dropout, to);
    else if (base)
        add_both(count, base, x, to);
    else if (drops)
        put_all_dropped(count, x, dropout, to);
    else
        copy_rows(count, 1, x, to);
}

static void weighted_sum(const WeightedScalars *scalars, float *to) {
    double total = 0;
    for (size_t i = 0; i < scalars->count; i++)
        total += scalars->weights[i] * (double)*scalars->values[i];
    *to = (float)total;
}

const ElementKernels cpu_elements = {
    .round = round_all,
    .add = add,
    .add_scaled = add_scaled,
    .multiply = multiply,
    .add_products = add_products,
    .relu = relu,
    .relu_backward = relu_backward,
    .add_dropped = add_dropped,
    .weighted_sum = weighted_sum,
};

#include "nn/backend/cpu/kernels.h"
#include "nn/backend/cpu/vector_math.h"

static void step_row(const RecurrentStep *step, size_t sequence) {
    const size_t d = step->width, row = sequence * step->length + step->t;
    const float *input = step->inputs + row * 3 * d, *products = step->products + sequence * 3 * d;
    float *h = step->h + row * d, *kept = step->kept ? step->kept + row * 4 * d : NULL;
    const bool first = step->t == 0;
    const float *before = first ? NULL : h - d;
#pragma omp simd
    for (size_t j = 0; j < d; j++) {
        const float product = first ? 0 : products[2 * d + j];
        const float r = vector_sigmoid(input[j] + (first ? 0 : products[j]));
        const float z = vector_sigmoid(input[d + j] + (first ? 0 : products[d + j]));
        const float n = vector_tanh(input[2 * d + j] + r * product);
        h[j] = (1 - z) * n + (first ? 0 : z * before[j]);
        if (kept) kept[j] = r, kept[d + j] = z, kept[2 * d + j] = n, kept[3 * d + j] = product;
    }
}

static void recurrent_step(const RecurrentStep *step) {
#pragma omp parallel for schedule(static) if (step->sequences * step->width > PARALLEL_ELEMENTS / 4)
    for (size_t s = 0; s < step->sequences; s++)
        step_row(step, s);
}

static void step_row_backward(const RecurrentStepBackward *step, size_t sequence) {
    const size_t d = step->width, row = sequence * step->length + step->t;
    const bool first = step->t == 0;
    const float *kept = step->kept + row * 4 * d, *dy = step->dy + row * d;
    const float *before = first ? NULL : step->h + (row - 1) * d;
    float *di = step->input_gradient + row * 3 * d, *dg = step->product_gradient + row * 3 * d;
    float *carried = step->carried + sequence * d;
#pragma omp simd
    for (size_t j = 0; j < d; j++) {
        const float r = kept[j], z = kept[d + j], n = kept[2 * d + j], product = kept[3 * d + j];
        const float dh = carried[j] + dy[j];
        const float dz = dh * ((first ? 0 : before[j]) - n) * z * (1 - z);
        const float dn = dh * (1 - z) * (1 - n * n);
        const float dr = dn * product * r * (1 - r);
        dg[j] = dr, dg[d + j] = dz, dg[2 * d + j] = dn * r;
        di[j] += dr, di[d + j] += dz, di[2 * d + j] += dn;
        carried[j] = dh * z;
    }
}

static void recurrent_step_backward(const RecurrentStepBackward *step) {
#pragma omp parallel for schedule(static) if (step->sequences * step->width > PARALLEL_ELEMENTS / 4)
    for (size_t s = 0; s < step->sequences; s++)
        step_row_backward(step, s);
}

static void windows(size_t rows, size_t columns, size_t length, size_t kernel, size_t dilation,
                    const float *x, float *y) {
    const size_t wide = columns * kernel;
#pragma omp parallel for schedule(static) if (rows * wide > PARALLEL_ELEMENTS)
    for (size_t row = 0; row < rows; row++)
        for (size_t k = 0; k < kernel; k++) {
            const size_t back = (kernel - 1 - k) * dilation;
            const float *from = back > row % length ? NULL : x + (row - back) * columns;
            float *to = y + row * wide + k;
            for (size_t j = 0; j < columns; j++)
                to[j * kernel] = from ? from[j] : 0;
        }
}

/* By sequence, so that each writes to rows of its own. */
static void windows_backward(size_t rows, size_t columns, size_t length, size_t kernel, size_t dilation,
                             const float *dy, float *dx) {
    const size_t wide = columns * kernel;
#pragma omp parallel for schedule(static) if (rows * wide > PARALLEL_ELEMENTS)
    for (size_t start = 0; start < rows; start += length)
        for (size_t t = 0; t < length; t++)
            for (size_t k = 0; k < kernel; k++) {
                const size_t back = (kernel - 1 - k) * dilation;
                if (back > t) continue;
                const float *from = dy + (start + t) * wide + k;
                float *to = dx + (start + t - back) * columns;
                for (size_t j = 0; j < columns; j++)
                    to[j] += from[j * kernel];
            }
}

const SequenceKernels cpu_sequences = {
    .recurrent_step = recurrent_step,
    .recurrent_step_backward = recurrent_step_backward,
    .windows = windows,
    .windows_backward = windows_backward,
};

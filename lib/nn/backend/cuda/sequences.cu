#include "device.h"
#include "table.h"
#include "values.h"

static void recurrent_step(const RecurrentStep *step_) {
    const RecurrentStep step = *step_;
    each_cell(step.sequences, step.width, [=] __device__(size_t s, size_t j) {
        const size_t d = step.width, row = s * step.length + step.t;
        const float *input = step.inputs + row * 3 * d,
                    *products = step.t ? step.products + s * 3 * d : nullptr;
        float *h = step.h + row * d;
        const float product = products ? products[2 * d + j] : 0;
        const float r = sigmoid(input[j] + (products ? products[j] : 0));
        const float z = sigmoid(input[d + j] + (products ? products[d + j] : 0));
        const float n = tanhf(input[2 * d + j] + r * product);
        h[j] = (1 - z) * n + (step.t ? z * (h - d)[j] : 0);
        if (!step.kept) return;
        float *kept = step.kept + row * 4 * d;
        kept[j] = r, kept[d + j] = z, kept[2 * d + j] = n, kept[3 * d + j] = product;
    });
}

static void recurrent_step_backward(const RecurrentStepBackward *step_) {
    const RecurrentStepBackward step = *step_;
    each_cell(step.sequences, step.width, [=] __device__(size_t s, size_t j) {
        const size_t d = step.width, row = s * step.length + step.t;
        const float *kept = step.kept + row * 4 * d;
        float *di = step.input_gradient + row * 3 * d, *dg = step.product_gradient + row * 3 * d;
        const float before = step.t ? step.h[(row - 1) * d + j] : 0;
        const float r = kept[j], z = kept[d + j], n = kept[2 * d + j], product = kept[3 * d + j];
        const float dh = step.carried[s * d + j] + step.dy[row * d + j];
        const float dz = dh * (before - n) * z * (1 - z), dn = dh * (1 - z) * (1 - n * n);
        const float dr = dn * product * r * (1 - r);
        dg[j] = dr, dg[d + j] = dz, dg[2 * d + j] = dn * r;
        di[j] += dr, di[d + j] += dz, di[2 * d + j] += dn;
        step.carried[s * d + j] = dh * z;
    });
}

static void windows(size_t rows, size_t columns, size_t length, size_t kernel, size_t dilation,
                    const float *x, float *y) {
    each_cell(rows, columns, [=] __device__(size_t row, size_t j) {
        for (size_t k = 0; k < kernel; k++) {
            const size_t back = (kernel - 1 - k) * dilation;
            y[(row * columns + j) * kernel + k] = back > row % length ? 0 : x[(row - back) * columns + j];
        }
    });
}

static void windows_backward(size_t rows, size_t columns, size_t length, size_t kernel, size_t dilation,
                             const float *dy, float *dx) {
    each_cell(rows, columns, [=] __device__(size_t row, size_t j) {
        float sum = 0;
        for (size_t k = 0; k < kernel; k++) {
            const size_t back = (kernel - 1 - k) * dilation;
            if (row % length + back < length) sum += dy[((row + back) * columns + j) * kernel + k];
        }
        dx[row * columns + j] += sum;
    });
}

const SequenceKernels cuda_sequences = {recurrent_step, recurrent_step_backward, windows, windows_backward};

#include "device.h"
#include "table.h"
#include "values.h"

/* Where the state before that of a sequence stands among those of the step before. */
static __device__ size_t place_before(size_t sequence, size_t before) {
    return sequence < before ? sequence : 0;
}

static void recurrent_step(const RecurrentStep *step_) {
    const RecurrentStep step = *step_;
    each_cell(step.sequences, step.width, [=] __device__(size_t s, size_t j) {
        const size_t d = step.width, place = place_before(s, step.before);
        const float *input = step.inputs + s * 3 * d;
        const float *products = step.before ? step.products + place * 3 * d : nullptr;
        const float product = products ? products[2 * d + j] : 0;
        const float r = sigmoid(input[j] + (products ? products[j] : 0));
        const float z = sigmoid(input[d + j] + (products ? products[d + j] : 0));
        const float n = tanhf(input[2 * d + j] + r * product);
        step.h[s * d + j] = (1 - z) * n + (step.before ? z * step.h_before[place * d + j] : 0);
        if (!step.kept) return;
        float *kept = step.kept + s * 4 * d;
        kept[j] = r, kept[d + j] = z, kept[2 * d + j] = n, kept[3 * d + j] = product;
    });
}

static void recurrent_step_backward(const RecurrentStepBackward *step_) {
    const RecurrentStepBackward step = *step_;
    each_cell(step.sequences, step.width, [=] __device__(size_t s, size_t j) {
        const size_t d = step.width, place = place_before(s, step.before);
        const float *kept = step.kept + s * 4 * d;
        float *di = step.input_gradient + s * 3 * d;
        float *dg = s < step.before ? step.product_gradient + s * 3 * d
                                    : step.beginning_gradient + (s - step.before) * 3 * d;
        const float before = step.before ? step.h_before[place * d + j] : 0;
        const float r = kept[j], z = kept[d + j], n = kept[2 * d + j], product = kept[3 * d + j];
        const float dh = step.carried[s * d + j] + step.dy[s * d + j];
        const float dz = dh * (before - n) * z * (1 - z), dn = dh * (1 - z) * (1 - n * n);
        const float dr = dn * product * r * (1 - r);
        dg[j] = dr, dg[d + j] = dz, dg[2 * d + j] = dn * r;
        di[j] += dr, di[d + j] += dz, di[2 * d + j] += dn;
        step.carried[s * d + j] = dh * z;
    });
}

/* The step of a row: of the steps the last that does not begin behind it. */
static __device__ size_t step_of(const Steps &steps, size_t row) {
    size_t low = 0, high = steps.count;
    while (high - low > 1) {
        const size_t middle = (low + high) / 2;
        (steps.offsets[middle] <= row ? low : high) = middle;
    }
    return low;
}

static __device__ size_t sequences_of(const Steps &steps, size_t t) {
    return steps.offsets[t + 1] - steps.offsets[t];
}

static void windows(Steps steps, size_t columns, size_t kernel, size_t dilation, const float *x, float *y) {
    each_cell(steps.rows, columns, [=] __device__(size_t row, size_t j) {
        const size_t t = step_of(steps, row), sequence = row - steps.offsets[t];
        for (size_t k = 0; k < kernel; k++) {
            const size_t back = (kernel - 1 - k) * dilation;
            float value = 0;
            if (back <= t) {
                const size_t place = place_before(sequence, sequences_of(steps, t - back));
                value = x[(steps.offsets[t - back] + place) * columns + j];
            }
            y[(row * columns + j) * kernel + k] = value;
        }
    });
}

/* A row of sequence 0 stands in the windows of the sequences that began later, too. */
static void windows_backward(Steps steps, size_t columns, size_t kernel, size_t dilation, const float *dy,
                             float *dx) {
    each_cell(steps.rows, columns, [=] __device__(size_t row, size_t j) {
        const size_t t = step_of(steps, row), sequence = row - steps.offsets[t];
        float sum = 0;
        for (size_t k = 0; k < kernel; k++) {
            const size_t later = t + (kernel - 1 - k) * dilation;
            if (later >= steps.count) continue;
            const float *windows = dy + (steps.offsets[later] * columns + j) * kernel + k;
            sum += windows[sequence * columns * kernel];
            if (sequence) continue;
            for (size_t s = sequences_of(steps, t); s < sequences_of(steps, later); s++)
                sum += windows[s * columns * kernel];
        }
        dx[row * columns + j] += sum;
    });
}

const SequenceKernels cuda_sequences = {recurrent_step, recurrent_step_backward, windows, windows_backward};

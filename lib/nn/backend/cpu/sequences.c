#include "nn/backend/cpu/kernels.h"
#include "nn/backend/cpu/vector_math.h"

/* Where the state before that of a sequence stands among those of the step before. */
static size_t place_before(size_t sequence, size_t before) {
    return sequence < before ? sequence : 0;
}

static void step_row(const RecurrentStep *step, size_t sequence) {
    const size_t d = step->width, place = place_before(sequence, step->before);
    const float *input = step->inputs + sequence * 3 * d, *products = step->products + place * 3 * d;
    const float *before = step->h_before + place * d;
    float *h = step->h + sequence * d, *kept = step->kept ? step->kept + sequence * 4 * d : NULL;
    const bool first = !step->before;
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
    const size_t d = step->width, place = place_before(sequence, step->before);
    const float *kept = step->kept + sequence * 4 * d, *dy = step->dy + sequence * d;
    const float *before = step->h_before + place * d;
    float *di = step->input_gradient + sequence * 3 * d, *carried = step->carried + sequence * d;
    float *dg = sequence < step->before ? step->product_gradient + sequence * 3 * d
                                        : step->beginning_gradient + (sequence - step->before) * 3 * d;
    const bool first = !step->before;
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

static size_t sequences_of(const Steps *steps, size_t t) {
    return steps->offsets[t + 1] - steps->offsets[t];
}

static void window_row(const Steps *steps, size_t t, size_t sequence, size_t columns, size_t kernel,
                       size_t dilation, const float *x, float *y) {
    y += (steps->offsets[t] + sequence) * columns * kernel;
    for (size_t k = 0; k < kernel; k++) {
        const size_t back = (kernel - 1 - k) * dilation;
        const float *from = NULL;
        if (back <= t) {
            const size_t place = place_before(sequence, sequences_of(steps, t - back));
            from = x + (steps->offsets[t - back] + place) * columns;
        }
        for (size_t j = 0; j < columns; j++)
            y[j * kernel + k] = from ? from[j] : 0;
    }
}

static void windows(Steps steps, size_t columns, size_t kernel, size_t dilation, const float *x, float *y) {
#pragma omp parallel if (steps.rows * columns * kernel > PARALLEL_ELEMENTS)
    for (size_t t = 0; t < steps.count; t++)
#pragma omp for schedule(static) nowait
        for (size_t s = 0; s < sequences_of(&steps, t); s++)
            window_row(&steps, t, s, columns, kernel, dilation, x, y);
}

/* Adds what windows hold of x as their k-th value. */
static void add_values(size_t columns, size_t kernel, const float *windows, float *dx) {
    for (size_t j = 0; j < columns; j++)
        dx[j] += windows[j * kernel];
}

/* A row of sequence 0 stands in the windows of the sequences that began later, too. */
static void window_row_backward(const Steps *steps, size_t t, size_t sequence, size_t columns, size_t kernel,
                                size_t dilation, const float *dy, float *dx) {
    dx += (steps->offsets[t] + sequence) * columns;
    for (size_t k = 0; k < kernel; k++) {
        const size_t later = t + (kernel - 1 - k) * dilation;
        if (later >= steps->count) continue;
        const float *windows = dy + steps->offsets[later] * columns * kernel + k;
        add_values(columns, kernel, windows + sequence * columns * kernel, dx);
        if (sequence) continue;
        for (size_t s = sequences_of(steps, t); s < sequences_of(steps, later); s++)
            add_values(columns, kernel, windows + s * columns * kernel, dx);
    }
}

static void windows_backward(Steps steps, size_t columns, size_t kernel, size_t dilation, const float *dy,
                             float *dx) {
#pragma omp parallel if (steps.rows * columns * kernel > PARALLEL_ELEMENTS)
    for (size_t t = 0; t < steps.count; t++)
#pragma omp for schedule(static) nowait
        for (size_t s = 0; s < sequences_of(&steps, t); s++)
            window_row_backward(&steps, t, s, columns, kernel, dilation, dy, dx);
}

const SequenceKernels cpu_sequences = {
    .recurrent_step = recurrent_step,
    .recurrent_step_backward = recurrent_step_backward,
    .windows = windows,
    .windows_backward = windows_backward,
};

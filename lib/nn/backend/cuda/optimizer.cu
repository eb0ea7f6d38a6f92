#include "device.h"
#include "table.h"
#include "values.h"

static void adamw(const AdamW *step_) {
    const AdamW step = *step_;
    each(step.count, [=] __device__(size_t place) {
        const size_t columns = step.columns;
        const size_t i = step.rows ? step.rows[place / columns] * columns + place % columns : place;
        const float g = step.gradient[i] * *step.factor;
        const float first = step.beta1 * step.first[i] + step.rest1 * g;
        const float second = step.beta2 * step.second[i] + step.rest2 * g * g;
        step.first[i] = first;
        step.second[i] = second;
        step.value[i] =
            step.keep * step.value[i] - step.step_size * first / (sqrtf(second) * step.root + step.epsilon);
    });
}

static void catch_up(const AdamW *step_, const OwedMoves *owed) {
    const AdamW step = *step_;
    const size_t columns = step.columns;
    each_cell(columns ? step.count / columns : 0, columns, [=] __device__(size_t row, size_t j) {
        const OwedMoves moves = owed[row];
        const size_t i = (step.rows ? step.rows[row] : row) * columns + j;
        const float first = step.first[i], second = step.second[i];
        step.value[i] = moves.keep * step.value[i] -
                        moves.step_size * first / (sqrtf(second) * step.root + step.epsilon);
        step.first[i] = first * moves.first;
        step.second[i] = second * moves.second;
    });
}

/* The values that a block adds up; the order of the sums follows from their number alone. */
static size_t values_of_a_part(size_t count) {
    const size_t part = divide_up(count, 1024);
    return part < 16 * BLOCK ? 16 * BLOCK : part;
}

static void sum_of_squares(size_t count, const float *values, double *total, Arena *) {
    const size_t part = values_of_a_part(count), parts = divide_up(count, part);
    double *sums = static_cast<double *>(device_room(parts * sizeof *sums));
    each_block(parts, [=] __device__(size_t i) {
        double sum = 0;
        for (size_t j = i * part + threadIdx.x; j < count && j < (i + 1) * part; j += BLOCK)
            sum += static_cast<double>(values[j]) * static_cast<double>(values[j]);
        sum = block_sum(sum);
        if (threadIdx.x == 0) sums[i] = sum;
    });
    each_block(parts ? 1 : 0, [=] __device__(size_t) {
        double sum = 0;
        for (size_t i = threadIdx.x; i < parts; i += BLOCK)
            sum += sums[i];
        sum = block_sum(sum);
        if (threadIdx.x == 0) *total += sum;
    });
}

static void clip(const double *total, double scale, double clip_, float *factor) {
    each(1, [=] __device__(size_t) {
        const double norm = sqrt(*total);
        *factor = static_cast<float>(clip_ > 0 && scale * norm > clip_ ? clip_ / norm : scale);
    });
}

const OptimizerKernels cuda_optimizer = {adamw, catch_up, sum_of_squares, clip};

#include "column_sums.h"
#include "table.h"
#include "values.h"

/* A warp for each row; a lane reads again only what it wrote itself. */

static void forward(const LayerNormForward *norm_) {
    const LayerNormForward norm = *norm_;
    each_row(norm.rows, [=] __device__(size_t i, unsigned lane) {
        const size_t columns = norm.columns, first = i * columns;
        float *y = norm.y + first, *n = norm.n ? norm.n + first : y;
        const float *x = norm.x + first;
        float total = 0, squares = 0;
        for (size_t j = lane; j < columns; j += WARP) {
            const float sum = norm.residual
                                  ? norm.residual[first + j] + x[j] * dropout_factor(norm.dropout, first + j)
                                  : x[j];
            n[j] = sum;
            total += sum;
        }
        const float mean = warp_sum(total) / static_cast<float>(columns);
        for (size_t j = lane; j < columns; j += WARP)
            squares += (n[j] - mean) * (n[j] - mean);
        const float inverse = 1.0f / sqrtf(warp_sum(squares) / static_cast<float>(columns) + norm.epsilon);
        if (norm.inverse && lane == 0) norm.inverse[i] = inverse;
        for (size_t j = lane; j < columns; j += WARP) {
            const float value = (n[j] - mean) * inverse, result = value * norm.weight[j] + norm.bias[j];
            n[j] = value;
            y[j] = result;
            if (norm.rounded) norm.rounded[first + j] = round_to_bf16(result);
        }
    });
}

static __device__ inline void put(float *to, bool adds, float value) {
    if (to) *to = adds ? *to + value : value;
}

/* The gradient of a row's sum is (g − mean(g) − n·mean(g·n)) / deviation, where g = dy·weight. */
static void backward_rows(const LayerNormBackward &norm) {
    each_row(norm.rows, [=] __device__(size_t i, unsigned lane) {
        const size_t columns = norm.columns, first = i * columns;
        const float *dy = norm.dy + first, *n = norm.n + first;
        float total = 0, product = 0;
        for (size_t j = lane; j < columns; j += WARP) {
            total += dy[j] * norm.weight[j];
            product += dy[j] * n[j] * norm.weight[j];
        }
        total = warp_sum(total) / static_cast<float>(columns);
        product = warp_sum(product) / static_cast<float>(columns);
        for (size_t j = lane; j < columns; j += WARP) {
            const float gradient = (dy[j] * norm.weight[j] - total - n[j] * product) * norm.inverse[i];
            put(norm.dresidual ? norm.dresidual + first + j : nullptr, norm.residual_adds, gradient);
            put(norm.dx ? norm.dx + first + j : nullptr, norm.x_adds,
                gradient * dropout_factor(norm.dropout, first + j));
        }
    });
}

static void backward(const LayerNormBackward *norm, Arena *) {
    const size_t columns = norm->columns;
    const float *dy = norm->dy, *n = norm->n;
    if (norm->dresidual || norm->dx) backward_rows(*norm);
    if (norm->weight_gradient)
        add_column_sums(norm->rows, columns, norm->weight_gradient, [=] __device__(size_t i, size_t j) {
            return dy[i * columns + j] * n[i * columns + j];
        });
    if (norm->bias_gradient)
        add_column_sums(norm->rows, columns, norm->bias_gradient,
                        [=] __device__(size_t i, size_t j) { return dy[i * columns + j]; });
}

const LayerNormKernels cuda_layer_norm = {forward, backward};

#include "nn/operators/kernels.h"
#include "nn/operators/operators.h"
#include "nn/vector_math.h"

/* Scores exist only for a tile of positions at a time. Their gradients are made at once, in the forward step,
 * since all that the backward step still brings is one factor. */
enum { TILE = 256 };

typedef struct CrossEntropy {
    Tensor *hidden, *items, *loss;
    float *hidden_gradient, *item_gradient;
} CrossEntropy;

static void scale_into(size_t count, float factor, const float *from, float *to) {
#pragma omp parallel for simd schedule(static) if (count > PARALLEL_ELEMENTS)
    for (size_t i = 0; i < count; i++)
        to[i] += factor * from[i];
}

static void cross_entropy_backward(Tape *tape, void *context) {
    const CrossEntropy *entropy = context;
    if (!entropy->loss->gradient) return;
    const float factor = *entropy->loss->gradient;
    Tensor *hidden = entropy->hidden, *items = entropy->items;
    if (hidden->needs_gradient)
        scale_into(hidden->rows * hidden->columns, factor, entropy->hidden_gradient,
                   tape_gradient(tape, hidden));
    if (items->needs_gradient)
        scale_into(items->rows * items->columns, factor, entropy->item_gradient, tape_gradient(tape, items));
}

/* Turns the scores of one position into their gradients times the number of positions; returns its loss. */
static double position_loss(const DebiasedTargets *targets, size_t position, size_t items, float *scores) {
    const uint32_t target = targets->targets[position], user = targets->users[position];
    const float *log_popularity = targets->log_popularity, *log_occurrences = targets->log_occurrences;
    const float own = scores[target] - log_popularity[target];
#pragma omp simd
    for (size_t c = 0; c < items; c++)
        scores[c] += log_occurrences[c] - log_popularity[c];
    for (size_t c = targets->rows.offsets[user]; c < targets->rows.offsets[user + 1]; c++)
        scores[targets->own_items[c]] = -INFINITY;
    scores[target] = own;
    float largest = -INFINITY;
#pragma omp simd reduction(max : largest)
    for (size_t c = 0; c < items; c++)
        largest = scores[c] > largest ? scores[c] : largest;
    double total = 0;
#pragma omp simd reduction(+ : total)
    for (size_t c = 0; c < items; c++) {
        scores[c] = vector_exp(scores[c] - largest);
        total += (double)scores[c];
    }
    const float inverse = (float)(1 / total);
#pragma omp simd
    for (size_t c = 0; c < items; c++)
        scores[c] *= inverse;
    scores[target] -= 1;
    return log(total) + (double)largest - (double)own;
}

Tensor *debiased_cross_entropy(Tape *tape, Tensor *hidden, Tensor *items, const DebiasedTargets *targets) {
    const size_t positions = targets->positions, count = items->rows, columns = items->columns;
    const bool needs = hidden->needs_gradient || items->needs_gradient;
    Tensor *loss = tape_tensor(tape, 1, 1, needs);
    CrossEntropy *entropy = TAPE_CONTEXT(tape, CrossEntropy, hidden, items, loss, NULL, NULL);
    if (loss->needs_gradient) {
        entropy->hidden_gradient = arena_take(tape->arena, positions * columns, sizeof(float));
        entropy->item_gradient = arena_take_zeroed(tape->arena, count * columns, sizeof(float));
    }
    float *scores = arena_take(tape->arena, (positions < TILE ? positions : TILE) * count, sizeof(float));
    double *losses = arena_take(tape->arena, TILE, sizeof(double)), total = 0;
    for (size_t first = 0; first < positions; first += TILE) {
        const size_t rows = positions - first < TILE ? positions - first : TILE;
        float *h = hidden->value + first * columns;
        tape->backend->matmul(rows, count, columns, (Matrix){h, columns, false},
                              (Matrix){items->value, columns, true}, 0, scores, count);
#pragma omp parallel for schedule(static) if (rows * count > PARALLEL_ELEMENTS)
        for (size_t i = 0; i < rows; i++) {
            float *row = scores + i * count;
            losses[i] = position_loss(targets, first + i, count, row);
#pragma omp simd
            for (size_t c = 0; c < count; c++)
                row[c] /= (float)positions;
        }
        for (size_t i = 0; i < rows; i++)
            total += losses[i];
        if (!loss->needs_gradient) continue;
        tape->backend->matmul(rows, columns, count, (Matrix){scores, count, false},
                              (Matrix){items->value, columns, false}, 0,
                              entropy->hidden_gradient + first * columns, columns);
        tape->backend->matmul(count, columns, rows, (Matrix){scores, count, true},
                              (Matrix){h, columns, false}, 1, entropy->item_gradient, columns);
    }
    *loss->value = positions ? (float)(total / (double)positions) : 0;
    if (loss->needs_gradient) tape_record(tape, cross_entropy_backward, entropy);
    return loss;
}

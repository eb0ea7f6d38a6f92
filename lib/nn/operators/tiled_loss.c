#include "nn/operators/tiled_loss.h"

#include "nn/operators/kernels.h"

#include <omp.h>

/* Scores exist only for a tile of rows at a time. Their gradients are made at once, in the forward step,
 * since all that the backward step still brings is one factor. */
enum { TILE = 256 };

typedef struct TiledLoss {
    Tensor *x, *candidates, *loss;
    float *x_gradient, *candidate_gradient;
} TiledLoss;

static void add_scaled(size_t count, float factor, const float *from, float *to) {
#pragma omp parallel for simd schedule(static) if (count > PARALLEL_ELEMENTS)
    for (size_t i = 0; i < count; i++)
        to[i] += factor * from[i];
}

static void tiled_loss_backward(Tape *tape, void *context) {
    const TiledLoss *tiled = context;
    const float factor = *tiled->loss->gradient;
    Tensor *x = tiled->x, *candidates = tiled->candidates;
    if (x->needs_gradient)
        add_scaled(x->rows * x->columns, factor, tiled->x_gradient, tape_gradient(tape, x));
    if (candidates->needs_gradient)
        add_scaled(candidates->rows * candidates->columns, factor, tiled->candidate_gradient,
                   tape_gradient(tape, candidates));
}

static void tile_backward(Tape *tape, const TiledLoss *tiled, size_t first, size_t rows,
                          const float *score_gradient) {
    const size_t count = tiled->candidates->rows, columns = tiled->x->columns;
    tape->backend->matmul(rows, columns, count, matrix_of(score_gradient, count),
                          matrix_of(tiled->candidates->value, columns), 0,
                          tiled->x_gradient + first * columns, columns);
    tape->backend->matmul(count, columns, rows, transposed(matrix_of(score_gradient, count)),
                          matrix_of(tiled->x->value + first * columns, columns), 1, tiled->candidate_gradient,
                          columns);
}

Tensor *tiled_loss(Tape *tape, Tensor *x, Tensor *candidates, RowLoss row_loss, const void *context,
                   size_t scratch) {
    const size_t all = x->rows, count = candidates->rows, columns = x->columns;
    const float share = 1.0f / (float)all;
    Tensor *loss = tape_tensor(tape, 1, 1, x->needs_gradient || candidates->needs_gradient);
    TiledLoss *tiled = TAPE_CONTEXT(tape, TiledLoss, x, candidates, loss, NULL, NULL);
    if (loss->needs_gradient) {
        tiled->x_gradient = arena_take(tape->arena, all * columns, sizeof(float));
        tiled->candidate_gradient = arena_take_zeroed(tape->arena, count * columns, sizeof(float));
    }
    float *scores = arena_take(tape->arena, (all < TILE ? all : TILE) * count, sizeof(float));
    float *scratches = arena_take(tape->arena, (size_t)omp_get_max_threads() * scratch, sizeof(float));
    double *losses = arena_take(tape->arena, TILE, sizeof(double)), total = 0;
    for (size_t first = 0; first < all; first += TILE) {
        const size_t rows = all - first < TILE ? all - first : TILE;
        tape->backend->matmul(rows, count, columns, matrix_of(x->value + first * columns, columns),
                              transposed(matrix_of(candidates->value, columns)), 0, scores, count);
#pragma omp parallel for schedule(static) if (rows * count > PARALLEL_ELEMENTS)
        for (size_t i = 0; i < rows; i++) {
            float *row = scores + i * count;
            losses[i] =
                row_loss(context, first + i, count, row, scratches + (size_t)omp_get_thread_num() * scratch);
#pragma omp simd
            for (size_t c = 0; c < count; c++)
                row[c] *= share;
        }
        for (size_t i = 0; i < rows; i++)
            total += losses[i];
        if (loss->needs_gradient) tile_backward(tape, tiled, first, rows, scores);
    }
    *loss->value = all ? (float)(total / (double)all) : 0;
    tape_record(tape, loss, tiled_loss_backward, tiled);
    return loss;
}

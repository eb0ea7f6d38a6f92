#include "nn/operators/row_loss.h"

typedef struct TiledLoss {
    Tensor *x, *candidates, *loss;
    float *x_gradient, *candidate_gradient;
} TiledLoss;

void pass_loss_gradient(Tape *tape, const Tensor *loss, const float *gradient, Tensor *x) {
    if (x->needs_gradient)
        tape->backend->elements->add_scaled(x->rows * x->columns, 1, loss->gradient, gradient,
                                            tape_gradient(tape, x));
}

static void tiled_loss_backward(Tape *tape, void *context) {
    const TiledLoss *tiled = context;
    pass_loss_gradient(tape, tiled->loss, tiled->x_gradient, tiled->x);
    pass_loss_gradient(tape, tiled->loss, tiled->candidate_gradient, tiled->candidates);
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

static void take_gradients(Tape *tape, TiledLoss *tiled) {
    const size_t columns = tiled->x->columns, count = tiled->candidates->rows * columns;
    tiled->x_gradient = tape_take(tape, tiled->x->rows * columns, sizeof(float));
    tiled->candidate_gradient = tape_take(tape, count, sizeof(float));
    tape->backend->memory->fill(count, 0, tiled->candidate_gradient);
}

Tensor *tiled_loss(Tape *tape, Tensor *x, Tensor *candidates, RowLoss row_loss, const void *row_context) {
    const size_t all = x->rows, count = candidates->rows, columns = x->columns;
    const size_t tile = all < tape->backend->score_rows ? all : tape->backend->score_rows;
    Tensor *loss = tape_tensor(tape, 1, 1, x->needs_gradient || candidates->needs_gradient);
    TiledLoss *tiled = TAPE_CONTEXT(tape, TiledLoss, x, candidates, loss, NULL, NULL);
    if (loss->needs_gradient) take_gradients(tape, tiled);
    const ArenaMark mark = arena_mark(tape->values);
    double *losses = tape_take(tape, all, sizeof *losses);
    float *scores = tape_take(tape, tile * count, sizeof *scores);
    for (size_t first = 0; first < all; first += tile) {
        const size_t rows = all - first < tile ? all - first : tile;
        tape->backend->matmul(rows, count, columns, matrix_of(x->value + first * columns, columns),
                              transposed(matrix_of(candidates->value, columns)), 0, scores, count);
        row_loss(tape, row_context, rows, first, count, 1.0f / (float)all, scores, losses + first);
        if (loss->needs_gradient) tile_backward(tape, tiled, first, rows, scores);
    }
    tape->backend->losses->mean(all, losses, loss->value);
    arena_rewind(tape->values, mark);
    tape_record(tape, loss, tiled_loss_backward, tiled);
    return loss;
}

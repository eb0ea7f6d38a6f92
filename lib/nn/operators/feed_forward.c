#include "nn/operators/kernels.h"
#include "nn/operators/operators.h"
#include "nn/rounding.h"

/* Both layers run over a few rows at a time, so that what is between them stays in the cache. Of it only the
 * activation's input is kept for the backward step. */

/* Values of some rows: in f32, or in bf16 when the backend wants that. */
typedef struct ActivationRows {
    float *values;
    uint16_t *rounded;
} ActivationRows;

typedef struct FeedForward {
    Tensor *x, *y;
    LinearPair pair;
    ActivationRows before; /* the activation's input [rows, wide] */
} FeedForward;

enum { PIECE = 256 }; /* columns at a time */

static ActivationRows take_rows(Tape *tape, size_t rows, size_t wide) {
    if (tape->backend->rounds)
        return (ActivationRows){NULL, arena_take(tape->arena, rows * wide, sizeof(uint16_t))};
    return (ActivationRows){arena_take(tape->arena, rows * wide, sizeof(float)), NULL};
}

static void release_rows(Tape *tape, ActivationRows rows, size_t count) {
    tape_release(tape, rows.values, count * sizeof *rows.values);
    tape_release(tape, rows.rounded, count * sizeof *rows.rounded);
}

static ActivationRows part_of_rows(ActivationRows rows, size_t first) {
    return (ActivationRows){rows.values ? rows.values + first : NULL,
                            rows.rounded ? rows.rounded + first : NULL};
}

static Matrix rows_matrix(ActivationRows rows, size_t wide) {
    return (Matrix){rows.values, wide, false, rows.rounded, NULL};
}

/* z += bias; before = z in bf16 (NULL: not kept so); between = activation(z). */
static void activate(size_t rows, size_t wide, Activation activation, const float *bias, float *z,
                     uint16_t *before, ActivationRows between) {
#pragma omp parallel for schedule(static) if (rows * wide > PARALLEL_ELEMENTS)
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < wide; j += PIECE) {
            const size_t count = smaller(PIECE, wide - j), at = i * wide + j;
            float piece[PIECE], *to = between.values ? between.values + at : piece;
            add_row(count, bias + j, z + at);
            if (before) round_row(count, z + at, before + at);
            activate_row(activation, count, z + at, to);
            if (between.rounded) round_row(count, piece, between.rounded + at);
        }
}

static void add_bias(size_t rows, size_t columns, const float *bias, float *y) {
#pragma omp parallel for schedule(static) if (rows * columns > PARALLEL_ELEMENTS)
    for (size_t i = 0; i < rows; i++)
        add_row(columns, bias, y + i * columns);
}

/* between = activation(before) again; gradient = gradient · activation′(before), in place, and in bf16 when
 * `rounded` is there; its column sums are added to bias_gradient (NULL: not). */
static void activate_backward(size_t rows, size_t wide, Activation activation, ActivationRows before,
                              ActivationRows between, float *gradient, uint16_t *rounded,
                              float *bias_gradient) {
#pragma omp parallel for schedule(static) if (rows * wide > PARALLEL_ELEMENTS)
    for (size_t j = 0; j < wide; j += PIECE) {
        const size_t count = smaller(PIECE, wide - j);
        float z[PIECE], piece[PIECE], sums[PIECE] = {0};
        for (size_t i = 0; i < rows; i++) {
            const size_t at = i * wide + j;
            if (before.rounded) widen_row(count, before.rounded + at, z);
            activate_row_backward(activation, count, before.rounded ? z : before.values + at,
                                  between.values ? between.values + at : piece, gradient + at);
            if (between.rounded) round_row(count, piece, between.rounded + at);
            if (rounded) round_row(count, gradient + at, rounded + at);
            add_row(count, gradient + at, sums);
        }
        if (bias_gradient) add_row(count, sums, bias_gradient + j);
    }
}

/* Of the rows first … first + rows − 1. */
static void rows_backward(Tape *tape, const FeedForward *f, size_t first, size_t rows, Matrix x, float *dx,
                          float beta) {
    const Backend *backend = tape->backend;
    const LinearPair *pair = &f->pair;
    const size_t in = f->x->columns, wide = pair->wide_weight->rows;
    const float *dy = f->y->gradient + first * in;
    const ActivationRows between = take_rows(tape, rows, wide);
    float *gradient = arena_take(tape->arena, rows * wide, sizeof *gradient);
    uint16_t *rounded = backend->rounds ? arena_take(tape->arena, rows * wide, sizeof *rounded) : NULL;
    const Matrix dy_matrix = tape_round(tape, dy, rows, in), dz = {gradient, wide, false, rounded, NULL};
    const bool trains = pair->wide_weight->trainable;

    backend->matmul(rows, wide, in, dy_matrix, parameter_matrix(pair->narrow_weight), 0, gradient, wide);
    activate_backward(rows, wide, pair->activation, part_of_rows(f->before, first * wide), between, gradient,
                      rounded, trains ? pair->wide_bias->gradient : NULL);
    if (trains) {
        backend->matmul(in, wide, rows, transposed(dy_matrix), rows_matrix(between, wide), 1,
                        pair->narrow_weight->gradient, wide);
        add_column_sums(rows, in, dy, pair->narrow_bias->gradient);
        backend->matmul(wide, in, rows, transposed(dz), rows_from(x, first), 1, pair->wide_weight->gradient,
                        in);
    }
    if (dx)
        backend->matmul(rows, in, wide, dz, parameter_matrix(pair->wide_weight), beta, dx + first * in, in);
}

static void feed_forward_backward(Tape *tape, void *context) {
    const FeedForward *f = context;
    const LinearPair *pair = &f->pair;
    const size_t all = f->x->rows, step = rows_at_once(pair->wide_weight->rows);
    const Matrix x = tape_matrix(tape, f->x);
    float beta = 0;
    float *dx = f->x->needs_gradient ? tape_gradient_target(tape, f->x, &beta) : NULL;
    const ArenaMark mark = arena_mark(tape->arena);
    for (size_t first = 0; first < all; first += step) {
        rows_backward(tape, f, first, smaller(step, all - first), x, dx, beta);
        arena_rewind(tape->arena, mark);
    }
    release_rows(tape, f->before, all * pair->wide_weight->rows);
    if (!pair->wide_weight->trainable) return;
    parameter_touch(pair->wide_weight);
    parameter_touch(pair->wide_bias);
    parameter_touch(pair->narrow_weight);
    parameter_touch(pair->narrow_bias);
}

Tensor *feed_forward(Tape *tape, Tensor *x, const LinearPair *pair) {
    const Backend *backend = tape->backend;
    const size_t all = x->rows, in = x->columns, wide = pair->wide_weight->rows, step = rows_at_once(wide);
    Tensor *y = tape_tensor(tape, all, in, x->needs_gradient || pair->wide_weight->trainable);
    const ActivationRows kept = y->needs_gradient ? take_rows(tape, all, wide) : (ActivationRows){0};
    const Matrix input = tape_matrix(tape, x);
    const Matrix first_weights = parameter_matrix(pair->wide_weight);
    const Matrix second_weights = parameter_matrix(pair->narrow_weight);
    const ArenaMark mark = arena_mark(tape->arena);
    const ActivationRows between = take_rows(tape, smaller(step, all), wide);
    float *passing = kept.values ? NULL : arena_take(tape->arena, smaller(step, all) * wide, sizeof *passing);
    for (size_t first = 0; first < all; first += step) {
        const size_t rows = smaller(step, all - first);
        const ActivationRows before = part_of_rows(kept, first * wide);
        float *z = kept.values ? before.values : passing, *to = y->value + first * in;
        backend->matmul(rows, wide, in, rows_from(input, first), transposed(first_weights), 0, z, wide);
        activate(rows, wide, pair->activation, pair->wide_bias->value, z, before.rounded, between);
        backend->matmul(rows, in, wide, rows_matrix(between, wide), transposed(second_weights), 0, to, in);
        add_bias(rows, in, pair->narrow_bias->value, to);
    }
    arena_rewind(tape->arena, mark);
    tape_record(tape, y, feed_forward_backward, TAPE_CONTEXT(tape, FeedForward, x, y, *pair, kept));
    return y;
}

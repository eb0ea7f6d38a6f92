#include "nn/operators/linear_gradient.h"
#include "nn/operators/operators.h"

/* Both layers run over a few rows at a time, so that what is between them stays in the cache: the
 * activation's value `between` and, backward, the gradient `dz` before it. The activation's input `before` is
 * kept for all rows. With a backend that rounds, `before` is kept and `between` is made in bf16 alone;
 * `product` is where the first layer's sums are in f32 until the activation has read them. dz is in both. */
typedef struct FeedForward {
    Tensor *x, *y;
    LinearPair pair;
    Values before; /* [rows, wide] */
} FeedForward;

static Values take_values(Tape *tape, size_t count) {
    if (tape->backend->rounds) return (Values){NULL, tape_take(tape, count, sizeof(uint16_t))};
    return (Values){tape_take(tape, count, sizeof(float)), NULL};
}

static void release_values(Tape *tape, Values values, size_t count) {
    tape_release(tape, values.values, count * sizeof *values.values);
    tape_release(tape, values.rounded, count * sizeof *values.rounded);
}

static Values values_from(Values values, size_t first) {
    return (Values){values.values ? values.values + first : NULL,
                    values.rounded ? values.rounded + first : NULL};
}

static Matrix values_matrix(Values values, size_t columns) {
    return (Matrix){values.values, columns, false, values.rounded, NULL};
}

/* Of the rows first … first + rows − 1. */
static void rows_backward(Tape *tape, const FeedForward *f, size_t first, size_t rows, Matrix x, float *dx,
                          float beta) {
    const Backend *backend = tape->backend;
    const LinearPair *pair = &f->pair;
    const size_t in = f->x->columns, wide = pair->wide_weight->rows;
    float *dy = f->y->gradient + first * in;
    const Values between = take_values(tape, rows * wide);
    const Values dz = {tape_take(tape, rows * wide, sizeof(float)),
                       backend->rounds ? tape_take(tape, rows * wide, sizeof(uint16_t)) : NULL};
    const bool trains = pair->wide_weight->trainable;
    const Matrix dz_matrix = values_matrix(dz, wide);
    const Matrix dy_matrix = linear_gradient(tape, ACTIVATION_NONE, NULL, dy, rows, in, pair->narrow_bias);
    float *wide_bias = trains ? parameter_gradient(pair->wide_bias, backend) : NULL;

    backend->matmul(rows, wide, in, dy_matrix, parameter_matrix(pair->narrow_weight), 0, dz.values, wide);
    backend->activations->backward(rows, wide, pair->activation, values_from(f->before, first * wide),
                                   between, dz.values, dz.rounded, wide_bias, tape->values);
    if (trains) {
        float adds, *to = parameter_gradient_target(pair->narrow_weight, &adds);
        backend->matmul(in, wide, rows, transposed(dy_matrix), values_matrix(between, wide), adds, to, wide);
        to = parameter_gradient_target(pair->wide_weight, &adds);
        backend->matmul(wide, in, rows, transposed(dz_matrix), rows_from(x, first), adds, to, in);
    }
    if (dx)
        backend->matmul(rows, in, wide, dz_matrix, parameter_matrix(pair->wide_weight), beta, dx + first * in,
                        in);
}

static void feed_forward_backward(Tape *tape, void *context) {
    const FeedForward *f = context;
    const LinearPair *pair = &f->pair;
    const size_t all = f->x->rows, wide = pair->wide_weight->rows;
    const size_t step = backend_rows_at_once(tape->backend, wide);
    const Matrix x = tape_matrix(tape, f->x);
    float beta = 0;
    float *dx = f->x->needs_gradient ? tape_gradient_target(tape, f->x, &beta) : NULL;
    const ArenaMark mark = arena_mark(tape->values);
    size_t first = 0;
    do { /* without rows, too: the gradient is zero then */
        rows_backward(tape, f, first, all - first < step ? all - first : step, x, dx, beta);
        arena_rewind(tape->values, mark);
        first += step;
    } while (first < all);
    release_values(tape, f->before, all * wide);
}

/* Of the rows first … first + rows − 1; `product` is room for their f32 before the activation, where `before`
 * is none. */
static void rows_forward(Tape *tape, const FeedForward *f, size_t first, size_t rows, Matrix x,
                         float *product, Values between) {
    const Backend *backend = tape->backend;
    const LinearPair *pair = &f->pair;
    const size_t in = f->x->columns, wide = pair->wide_weight->rows;
    const Values before = values_from(f->before, first * wide);
    float *z = before.values ? before.values : product, *y = f->y->value + first * in;
    backend->matmul(rows, wide, in, rows_from(x, first), transposed(parameter_matrix(pair->wide_weight)), 0,
                    z, wide);
    backend->activations->forward(rows, wide, pair->activation, pair->wide_bias->value, z, before.rounded,
                                  between);
    backend_matmul_with_bias(backend, rows, in, wide, values_matrix(between, wide),
                             transposed(parameter_matrix(pair->narrow_weight)), pair->narrow_bias->value, y);
}

Tensor *feed_forward(Tape *tape, Tensor *x, const LinearPair *pair) {
    const size_t all = x->rows, wide = pair->wide_weight->rows;
    const size_t step = backend_rows_at_once(tape->backend, wide), most = all < step ? all : step;
    Tensor *y = tape_tensor(tape, all, x->columns, x->needs_gradient || pair->wide_weight->trainable);
    FeedForward *f = TAPE_CONTEXT(tape, FeedForward, .x = x, .y = y, .pair = *pair);
    if (y->needs_gradient) f->before = take_values(tape, all * wide);
    const Matrix input = tape_matrix(tape, x);
    const ArenaMark mark = arena_mark(tape->values);
    const Values between = take_values(tape, most * wide);
    float *product = f->before.values ? NULL : tape_take(tape, most * wide, sizeof *product);
    for (size_t first = 0; first < all; first += step)
        rows_forward(tape, f, first, all - first < step ? all - first : step, input, product, between);
    arena_rewind(tape->values, mark);
    tape_record(tape, y, feed_forward_backward, f);
    return y;
}

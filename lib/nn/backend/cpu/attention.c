#include "nn/backend/cpu/kernels.h"
#include "nn/backend/cpu/lanes.h"
#include "nn/backend/cpu/rounding.h"
#include "nn/backend/cpu/small_matmul.h"
#include "nn/backend/cpu/vector_math.h"

#include <omp.h>
#include <string.h>

/* The unit of work is a head of a segment, whose small matrices stay in the cache. Units write to places of
 * their own; each thread takes units that lie side by side, as many as hold its share of all probabilities:
 * most rows that they read are then still in the cache of the processor that made them. Kept are the
 * probabilities before dropout, each at the index by which it is dropped. */

/* A thread's small matrices. */
enum { SCRATCHES = 4 };
typedef struct Scratch {
    float *turned, *scores, *dropped, *copy;
} Scratch;

/* What a unit reads and writes: query rows from first_query on, key rows from first_key on, columns from
 * `column` on. */
typedef struct Unit {
    size_t first_query, rows, first_key, keys, column;
    size_t stride;  /* of rows of scores */
    uint64_t index; /* of its first score among all */
} Unit;

/* Room in each small matrix for query rows by key rows, and for either by the width of a head. */
static size_t scratch_size(const Attention *attention) {
    size_t most =
        attention->most_queries > attention->most_keys ? attention->most_queries : attention->most_keys;
    if (attention->width > most) most = attention->width;
    return most * small_stride(most);
}

static float *take_scratch(Arena *arena, size_t size) {
    return arena_take(arena, (size_t)omp_get_max_threads() * SCRATCHES * size, sizeof(float));
}

static Scratch thread_scratch(float *all, size_t size) {
    float *own = all + (size_t)omp_get_thread_num() * SCRATCHES * size;
    return (Scratch){own, own + size, own + 2 * size, own + 3 * size};
}

static inline size_t visible_keys(const Attention *attention, size_t row, size_t keys) {
    return attention->causal && row + 1 < keys ? row + 1 : keys;
}

static Unit find_unit(const Attention *attention, size_t number) {
    const size_t segment = number / attention->heads, head = number % attention->heads;
    Unit unit = {.first_query = attention->queries[segment],
                 .rows = attention->queries[segment + 1] - attention->queries[segment],
                 .first_key = attention->keys[segment],
                 .keys = attention->keys[segment + 1] - attention->keys[segment],
                 .column = head * attention->width};
    unit.stride = small_stride(unit.keys);
    unit.index = attention->places[segment] + head * unit.rows * unit.stride;
    return unit;
}

static size_t threads_for(const Attention *attention) {
    return attention->segments * attention->heads > 4 ? (size_t)omp_get_max_threads() : 1;
}

/* Where the units of a thread begin; for a thread behind the last one, where all end. */
static size_t first_unit(const Attention *attention, size_t thread, size_t threads) {
    const size_t *places = attention->places;
    const size_t place = (size_t)((double)attention->place_count * (double)thread / (double)threads);
    size_t segment = 0;
    if (thread == 0) return 0;
    if (thread == threads) return attention->segments * attention->heads;
    while (segment + 1 < attention->segments && places[segment + 1] <= place)
        segment++;
    const size_t of_head = (places[segment + 1] - places[segment]) / attention->heads;
    return segment * attention->heads + (of_head ? (place - places[segment]) / of_head : 0);
}

/* row = softmax(scale · row) over its first `count` elements, 0 behind them. Rows of short sequences are a
 * vector or two; whole vectors are worked on. */
static void softmax_row(float *row, size_t count, size_t stride, float scale) {
    const size_t whole = small_stride(count), last = whole - SMALL_WIDTH;
    float most[SMALL_WIDTH], sums[SMALL_WIDTH] = {0};
#pragma omp simd
    for (size_t j = 0; j < SMALL_WIDTH; j++) {
        row[last + j] = last + j < count ? row[last + j] : -INFINITY;
        most[j] = row[last + j];
    }
    for (size_t first = 0; first < last; first += SMALL_WIDTH)
#pragma omp simd
        for (size_t j = 0; j < SMALL_WIDTH; j++)
            most[j] = row[first + j] > most[j] ? row[first + j] : most[j];
    const float largest = lanes_largest(most);
    for (size_t first = 0; first < whole; first += SMALL_WIDTH)
#pragma omp simd
        for (size_t j = 0; j < SMALL_WIDTH; j++) {
            row[first + j] = vector_exp_below(scale * (row[first + j] - largest));
            sums[j] += row[first + j];
        }
    const float inverse = 1.0f / lanes_sum(sums);
    for (size_t first = 0; first < whole; first += SMALL_WIDTH)
#pragma omp simd
        for (size_t j = 0; j < SMALL_WIDTH; j++)
            row[first + j] *= inverse;
    memset(row + whole, 0, (stride - whole) * sizeof *row);
}

/* gradient = scale · p ∘ (gradient − Σ gradient∘p), where p is 0 behind the first `count` elements. */
static void softmax_row_backward(const float *p, size_t count, size_t stride, float scale, float *gradient) {
    const size_t whole = small_stride(count), last = whole - SMALL_WIDTH;
    float sums[SMALL_WIDTH];
#pragma omp simd
    for (size_t j = 0; j < SMALL_WIDTH; j++) {
        gradient[last + j] = last + j < count ? gradient[last + j] : 0;
        sums[j] = gradient[last + j] * p[last + j];
    }
    for (size_t first = 0; first < last; first += SMALL_WIDTH)
#pragma omp simd
        for (size_t j = 0; j < SMALL_WIDTH; j++)
            sums[j] += gradient[first + j] * p[first + j];
    const float total = lanes_sum(sums);
    for (size_t first = 0; first < whole; first += SMALL_WIDTH)
#pragma omp simd
        for (size_t j = 0; j < SMALL_WIDTH; j++)
            gradient[first + j] = scale * p[first + j] * (gradient[first + j] - total);
    memset(gradient + whole, 0, (stride - whole) * sizeof *gradient);
}

static void drop_probabilities(const Attention *attention, const Unit *unit, const float *from, float *to) {
#pragma omp simd
    for (size_t j = 0; j < unit->rows * unit->stride; j++)
        to[j] = from[j] * dropout_factor(attention->dropout, unit->index + j);
}

/* The probabilities behind dropout. */
static const float *kept_probabilities(const Attention *attention, const Unit *unit,
                                       const float *probabilities, Scratch scratch) {
    if (!dropout_drops(attention->dropout)) return probabilities;
    drop_probabilities(attention, unit, probabilities, scratch.dropped);
    return scratch.dropped;
}

/* A head's columns as a right operand, whose rows are whole vectors: as they lie, or as a copy. */
static const float *right_operand(const float *values, size_t rows, size_t width, size_t *stride,
                                  float *copy) {
    if (width % SMALL_WIDTH == 0) return values;
    small_copy(rows, width, values, *stride, copy, small_stride(width));
    *stride = small_stride(width);
    return copy;
}

/* to [rows, width] = a [rows, count] · b [count, width], or to += it, where `to` and b are a head's columns.
 */
static void multiply_head(size_t rows, size_t width, size_t count, SmallLeft a, const float *b,
                          size_t b_stride, bool adds, float *to, size_t to_stride, Scratch scratch) {
    b = right_operand(b, count, width, &b_stride, scratch.copy);
    if (width % SMALL_WIDTH == 0) {
        small_matmul(rows, width, count, a, b, b_stride, adds, to, to_stride);
        return;
    }
    const size_t stride = small_stride(width);
    small_matmul(rows, width, count, a, b, b_stride, false, scratch.turned, stride);
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < width; j++)
            to[i * to_stride + j] = scratch.turned[i * stride + j] + (adds ? to[i * to_stride + j] : 0);
}

/* Causal attention works on so many query rows, or keys, at a time, so that it can leave out what none of
 * them sees, or is seen by. */
enum { CAUSAL_ROWS = 24 };

static inline size_t rows_at_once(const Attention *attention, size_t all) {
    return attention->causal ? CAUSAL_ROWS : all;
}

/* How many keys the query rows before `end` see. */
static inline size_t keys_before(const Attention *attention, const Unit *unit, size_t end) {
    return attention->causal ? smaller(end, unit->keys) : unit->keys;
}

/* scores [query rows, key rows] = a head's columns of x · those of the other's key rows, transposed. */
static void multiply_by_keys(const Attention *attention, const Unit *unit, const float *x, size_t x_stride,
                             const float *keys, size_t key_stride, float *scores, Scratch scratch) {
    const size_t width = attention->width, step = rows_at_once(attention, unit->rows);
    small_transpose(unit->keys, width, keys + unit->first_key * key_stride + unit->column, key_stride,
                    scratch.turned, unit->stride);
    for (size_t first = 0; first < unit->rows; first += step) {
        const size_t rows = smaller(step, unit->rows - first);
        small_matmul(rows, keys_before(attention, unit, first + rows), width,
                     small_left(x + first * x_stride, x_stride), scratch.turned, unit->stride, false,
                     scores + first * unit->stride, unit->stride);
    }
}

/* to [query rows, width] = scores · a head's columns of the key rows, or += it. */
static void multiply_scores(const Attention *attention, const Unit *unit, const float *scores,
                            const float *keys, size_t key_stride, bool adds, float *to, size_t to_stride,
                            Scratch scratch) {
    const size_t step = rows_at_once(attention, unit->rows);
    for (size_t first = 0; first < unit->rows; first += step) {
        const size_t rows = smaller(step, unit->rows - first);
        multiply_head(rows, attention->width, keys_before(attention, unit, first + rows),
                      small_left(scores + first * unit->stride, unit->stride), keys, key_stride, adds,
                      to + first * to_stride, to_stride, scratch);
    }
}

/* to [key rows, width] = scores, transposed · a head's columns of the query rows, or += it. With `causal` key
 * j is seen from row j on. */
static void multiply_turned_scores(const Attention *attention, const Unit *unit, const float *scores,
                                   const float *x, size_t x_stride, bool adds, float *to, size_t to_stride,
                                   Scratch scratch) {
    const size_t keys = keys_before(attention, unit, unit->rows), step = rows_at_once(attention, keys);
    for (size_t first = 0; first < keys; first += step) {
        const size_t row = attention->causal ? first : 0;
        multiply_head(smaller(step, keys - first), attention->width, unit->rows - row,
                      small_left_transposed(scores + row * unit->stride + first, unit->stride),
                      x + row * x_stride, x_stride, adds, to + first * to_stride, to_stride, scratch);
    }
}

static void unit_forward(const Attention *attention, const Unit *unit, Values y, Scratch scratch) {
    const size_t width = attention->width, columns = attention->heads * width;
    const size_t place = unit->first_query * columns + unit->column;
    float *scores = attention->kept ? attention->kept + unit->index : scratch.scores;
    multiply_by_keys(attention, unit, attention->q + unit->first_query * attention->q_stride + unit->column,
                     attention->q_stride, attention->k, attention->k_stride, scores, scratch);
    for (size_t i = 0; i < unit->rows; i++)
        softmax_row(scores + i * unit->stride, visible_keys(attention, i, unit->keys), unit->stride,
                    attention->scale);
    multiply_scores(attention, unit, kept_probabilities(attention, unit, scores, scratch),
                    attention->v + unit->first_key * attention->v_stride + unit->column, attention->v_stride,
                    false, y.values + place, columns, scratch);
    for (size_t i = 0; y.rounded && i < unit->rows; i++)
        round_row(width, y.values + place + i * columns, y.rounded + place + i * columns);
}

/* Without keys the result is zero. */
static void see_nothing(const Attention *attention, const Unit *unit, Values y) {
    const size_t width = attention->width, columns = attention->heads * width;
    for (size_t i = unit->first_query; i < unit->first_query + unit->rows; i++) {
        memset(y.values + i * columns + unit->column, 0, width * sizeof *y.values);
        if (y.rounded) memset(y.rounded + i * columns + unit->column, 0, width * sizeof *y.rounded);
    }
}

static void forward(const Attention *attention, Values y, Arena *arena) {
    const size_t size = scratch_size(attention), threads = threads_for(attention);
    const ArenaMark mark = arena_mark(arena);
    float *scratch = take_scratch(arena, size);
#pragma omp parallel for schedule(static) if (threads > 1)
    for (size_t thread = 0; thread < threads; thread++) {
        const size_t end = first_unit(attention, thread + 1, threads);
        for (size_t number = first_unit(attention, thread, threads); number < end; number++) {
            const Unit unit = find_unit(attention, number);
            if (unit.keys)
                unit_forward(attention, &unit, y, thread_scratch(scratch, size));
            else
                see_nothing(attention, &unit, y);
        }
    }
    arena_rewind(arena, mark);
}

/* With P the probabilities, P' those after dropout: dV = P'ᵀ·dY, dP = (dY·Vᵀ) after dropout, dS = scale·P∘(dP
 * − Σ dP∘P), dQ = dS·K, dK = dSᵀ·Q. */
static void unit_backward(const Attention *attention, const Unit *unit, const float *dy,
                          AttentionGradients to, Scratch scratch) {
    const size_t width = attention->width, columns = attention->heads * width, stride = unit->stride;
    const size_t q_place = unit->first_query * attention->q_stride + unit->column;
    const size_t k_place = unit->first_key * attention->k_stride + unit->column;
    const size_t v_place = unit->first_key * attention->v_stride + unit->column;
    const float *probabilities = attention->kept + unit->index;
    const bool adds = !to.replaces;
    float *gradients = scratch.scores;
    dy += unit->first_query * columns + unit->column;
    const float *kept = kept_probabilities(attention, unit, probabilities, scratch);
    if (to.v)
        multiply_turned_scores(attention, unit, kept, dy, columns, adds, to.v + v_place, attention->v_stride,
                               scratch);
    multiply_by_keys(attention, unit, dy, columns, attention->v, attention->v_stride, gradients, scratch);
    if (dropout_drops(attention->dropout)) drop_probabilities(attention, unit, gradients, gradients);
    for (size_t i = 0; i < unit->rows; i++)
        softmax_row_backward(probabilities + i * stride, visible_keys(attention, i, unit->keys), stride,
                             attention->scale, gradients + i * stride);
    if (to.q)
        multiply_scores(attention, unit, gradients, attention->k + k_place, attention->k_stride, adds,
                        to.q + q_place, attention->q_stride, scratch);
    if (to.k)
        multiply_turned_scores(attention, unit, gradients, attention->q + q_place, attention->q_stride, adds,
                               to.k + k_place, attention->k_stride, scratch);
}

static void backward(const Attention *attention, const float *y, const float *dy,
                     AttentionGradients gradients, Arena *arena) {
    (void)y;
    const size_t size = scratch_size(attention), threads = threads_for(attention);
    const ArenaMark mark = arena_mark(arena);
    float *scratch = take_scratch(arena, size);
#pragma omp parallel for schedule(static) if (threads > 1)
    for (size_t thread = 0; thread < threads; thread++) {
        const size_t end = first_unit(attention, thread + 1, threads);
        for (size_t number = first_unit(attention, thread, threads); number < end; number++) {
            const Unit unit = find_unit(attention, number);
            if (unit.rows && unit.keys)
                unit_backward(attention, &unit, dy, gradients, thread_scratch(scratch, size));
        }
    }
    arena_rewind(arena, mark);
}

static size_t kept_size(const Attention *attention) {
    return attention->place_count;
}

const AttentionKernels cpu_attention = {kept_size, forward, backward};

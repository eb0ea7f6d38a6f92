#include "nn/dropout.h"
#include "nn/operators/operators.h"
#include "nn/rounding.h"
#include "nn/small_matmul.h"
#include "nn/vector_math.h"

#include <omp.h>

/* The unit of work is a head of a segment, whose small matrices stay in the cache. Units write to places of
 * their own, so that any thread may take any. */

/* Columns of a tensor: queries, keys or values. */
typedef struct Part {
    Tensor *tensor;
    size_t first;
} Part;

typedef struct AttentionStep {
    Part q, k, v;
    Tensor *y;
    Segments queries, keys;
    size_t heads, width; /* of a head */
    bool causal, drops;
    Dropout dropout;
    float scale;
    float *probabilities; /* unit after unit [query rows, stride of key rows], before dropout; NULL without
                             backward */
    size_t *offsets;      /* by segment: where its first head's probabilities start */
} AttentionStep;

/* A thread's small matrices. */
enum { SCRATCHES = 4 };
typedef struct Scratch {
    float *turned, *scores, *dropped, *copy;
} Scratch;

/* What a unit reads and writes: query rows from first_query on, key rows from first_key on, columns from
 * `column` of each part on. */
typedef struct Unit {
    size_t first_query, rows, first_key, keys, column;
    size_t stride;  /* of rows of scores */
    uint64_t index; /* of its first score among all */
} Unit;

static inline float *part_value(Part part, size_t row, size_t column) {
    return part.tensor->value + row * part.tensor->columns + part.first + column;
}

static size_t largest_segment(Segments segments) {
    size_t largest = 0;
    for (size_t i = 0; i < segments.count; i++)
        if (segments_length(segments, i) > largest) largest = segments_length(segments, i);
    return largest;
}

/* Room in each small matrix for query rows by key rows, and for either by the width of a head. */
static size_t scratch_size(const AttentionStep *attention) {
    const size_t rows = largest_segment(attention->queries), keys = largest_segment(attention->keys);
    size_t most = rows > keys ? rows : keys;
    if (attention->width > most) most = attention->width;
    return most * small_stride(most);
}

static Scratch thread_scratch(float *all, size_t size) {
    float *own = all + (size_t)omp_get_thread_num() * SCRATCHES * size;
    return (Scratch){own, own + size, own + 2 * size, own + 3 * size};
}

static float *take_scratch(Tape *tape, size_t size) {
    return arena_take(tape->arena, (size_t)omp_get_max_threads() * SCRATCHES * size, sizeof(float));
}

static inline size_t visible_keys(const AttentionStep *attention, size_t row, size_t keys) {
    return attention->causal && row + 1 < keys ? row + 1 : keys;
}

static Unit find_unit(const AttentionStep *attention, size_t number) {
    const size_t segment = number / attention->heads, head = number % attention->heads;
    Unit unit = {.first_query = attention->queries.offsets[segment],
                 .rows = segments_length(attention->queries, segment),
                 .first_key = attention->keys.offsets[segment],
                 .keys = segments_length(attention->keys, segment),
                 .column = head * attention->width};
    unit.stride = small_stride(unit.keys);
    unit.index = attention->offsets[segment] + head * unit.rows * unit.stride;
    return unit;
}

/* row = softmax(scale · row) over its first `count` elements, 0 behind them. */
static void softmax_row(float *row, size_t count, size_t stride, float scale) {
    float largest = -INFINITY, total = 0;
#pragma omp simd reduction(max : largest)
    for (size_t j = 0; j < count; j++)
        largest = row[j] > largest ? row[j] : largest;
#pragma omp simd reduction(+ : total)
    for (size_t j = 0; j < count; j++) {
        row[j] = vector_exp(scale * (row[j] - largest));
        total += row[j];
    }
    const float inverse = 1.0f / total;
#pragma omp simd
    for (size_t j = 0; j < count; j++)
        row[j] *= inverse;
    for (size_t j = count; j < stride; j++)
        row[j] = 0;
}

static void drop_probabilities(const AttentionStep *attention, const Unit *unit, const float *from,
                               float *to) {
#pragma omp simd
    for (size_t j = 0; j < unit->rows * unit->stride; j++)
        to[j] = from[j] * dropout_factor(attention->dropout, unit->index + j);
}

/* The probabilities behind dropout. */
static const float *kept_probabilities(const AttentionStep *attention, const Unit *unit,
                                       const float *probabilities, Scratch scratch) {
    if (!attention->drops) return probabilities;
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

/* scores [query rows, key rows] = a head's columns of x · those of the keys, transposed. */
static void multiply_by_keys(const Unit *unit, size_t width, const float *x, size_t x_stride, Part keys,
                             float *scores, Scratch scratch) {
    small_transpose(unit->keys, width, part_value(keys, unit->first_key, unit->column), keys.tensor->columns,
                    scratch.turned, unit->stride);
    small_matmul(unit->rows, unit->keys, width, small_left(x, x_stride), scratch.turned, unit->stride, false,
                 scores, unit->stride);
}

static void unit_forward(const AttentionStep *attention, const Unit *unit, Scratch scratch) {
    const Part q = attention->q, v = attention->v;
    const size_t columns = attention->y->columns, width = attention->width;
    const size_t place = unit->first_query * columns + unit->column;
    float *y = attention->y->value + place;
    float *scores = attention->probabilities ? attention->probabilities + unit->index : scratch.scores;
    multiply_by_keys(unit, width, part_value(q, unit->first_query, unit->column), q.tensor->columns,
                     attention->k, scores, scratch);
    for (size_t i = 0; i < unit->rows; i++)
        softmax_row(scores + i * unit->stride, visible_keys(attention, i, unit->keys), unit->stride,
                    attention->scale);
    const float *kept = kept_probabilities(attention, unit, scores, scratch);
    multiply_head(unit->rows, width, unit->keys, small_left(kept, unit->stride),
                  part_value(v, unit->first_key, unit->column), v.tensor->columns, false, y, columns,
                  scratch);
    for (size_t i = 0; attention->y->rounded && i < unit->rows; i++)
        round_row(width, y + i * columns, attention->y->rounded + place + i * columns);
}

/* Without keys the result is zero. */
static void see_nothing(const AttentionStep *attention, const Unit *unit) {
    const Tensor *y = attention->y;
    for (size_t i = unit->first_query; i < unit->first_query + unit->rows; i++) {
        memset(y->value + i * y->columns + unit->column, 0, attention->width * sizeof(float));
        if (y->rounded)
            memset(y->rounded + i * y->columns + unit->column, 0, attention->width * sizeof(uint16_t));
    }
}

/* The gradient of a part's rows from `row` on += a · b. */
static void add_to_part(const Unit *unit, Part part, size_t row, size_t rows, size_t width, size_t count,
                        SmallLeft a, const float *b, size_t b_stride, Scratch scratch) {
    const size_t stride = part.tensor->columns;
    if (!part.tensor->needs_gradient) return;
    multiply_head(rows, width, count, a, b, b_stride, true,
                  part.tensor->gradient + row * stride + part.first + unit->column, stride, scratch);
}

/* With P the probabilities, P' those after dropout: dV = P'ᵀ·dY, dP = (dY·Vᵀ) after dropout, dS = scale·P∘(dP
 * − Σ dP∘P), dQ = dS·K, dK = dSᵀ·Q. */
static void unit_backward(const AttentionStep *attention, const Unit *unit, Scratch scratch) {
    const Part q = attention->q, k = attention->k, v = attention->v;
    const size_t columns = attention->y->columns, width = attention->width, stride = unit->stride;
    const float *probabilities = attention->probabilities + unit->index;
    const float *dy = attention->y->gradient + unit->first_query * columns + unit->column;
    float *gradients = scratch.scores;
    const float *kept = kept_probabilities(attention, unit, probabilities, scratch);
    add_to_part(unit, v, unit->first_key, unit->keys, width, unit->rows, small_left_transposed(kept, stride),
                dy, columns, scratch);
    multiply_by_keys(unit, width, dy, columns, v, gradients, scratch);
    if (attention->drops) drop_probabilities(attention, unit, gradients, gradients);
    for (size_t i = 0; i < unit->rows; i++) {
        float *gradient = gradients + i * stride, total = 0;
        const float *p = probabilities + i * stride, scale = attention->scale;
#pragma omp simd reduction(+ : total)
        for (size_t j = 0; j < unit->keys; j++)
            total += gradient[j] * p[j];
#pragma omp simd
        for (size_t j = 0; j < stride; j++)
            gradient[j] = scale * p[j] * (gradient[j] - total);
    }
    add_to_part(unit, q, unit->first_query, unit->rows, width, unit->keys, small_left(gradients, stride),
                part_value(k, unit->first_key, unit->column), k.tensor->columns, scratch);
    add_to_part(unit, k, unit->first_key, unit->keys, width, unit->rows,
                small_left_transposed(gradients, stride), part_value(q, unit->first_query, unit->column),
                q.tensor->columns, scratch);
}

static void attention_backward(Tape *tape, void *context) {
    const AttentionStep *attention = context;
    Tensor *const parts[] = {attention->q.tensor, attention->k.tensor, attention->v.tensor};
    for (size_t i = 0; i < 3; i++)
        if (parts[i]->needs_gradient) tape_gradient(tape, parts[i]);
    const size_t size = scratch_size(attention), units = attention->queries.count * attention->heads;
    float *scratch = take_scratch(tape, size);
#pragma omp parallel for schedule(dynamic, 4) if (units > 4)
    for (size_t number = 0; number < units; number++) {
        const Unit unit = find_unit(attention, number);
        if (unit.rows && unit.keys) unit_backward(attention, &unit, thread_scratch(scratch, size));
    }
    tape_release(tape, attention->probabilities,
                 attention->offsets[attention->queries.count] * sizeof *attention->probabilities);
}

static void lay_out_probabilities(Tape *tape, AttentionStep *attention) {
    const size_t count = attention->queries.count;
    attention->offsets = arena_take(tape->arena, count + 1, sizeof(size_t));
    attention->offsets[0] = 0;
    for (size_t i = 0; i < count; i++)
        attention->offsets[i + 1] =
            attention->offsets[i] + attention->heads * segments_length(attention->queries, i) *
                                        small_stride(segments_length(attention->keys, i));
    if (attention->y->needs_gradient)
        attention->probabilities = arena_take(tape->arena, attention->offsets[count], sizeof(float));
}

static Tensor *attend(Tape *tape, Part q, Part k, Part v, size_t columns, Segments queries, Segments keys,
                      size_t heads, bool causal, double dropout_rate) {
    const size_t width = columns / heads;
    const bool drops = tape->recording && dropout_rate > 0;
    Tensor *y = tape_tensor(tape, q.tensor->rows, columns,
                            q.tensor->needs_gradient || k.tensor->needs_gradient || v.tensor->needs_gradient);
    AttentionStep *attention_ =
        TAPE_CONTEXT(tape, AttentionStep, q, k, v, y, queries, keys, heads, width, causal, drops,
                     drops ? dropout_create(dropout_rate, tape_dropout_seed(tape)) : (Dropout){0},
                     1.0f / sqrtf((float)width), NULL, NULL);
    lay_out_probabilities(tape, attention_);
    tape_take_rounded(tape, y);
    const size_t size = scratch_size(attention_), units = queries.count * heads;
    float *scratch = take_scratch(tape, size);
#pragma omp parallel for schedule(dynamic, 4) if (units > 4)
    for (size_t number = 0; number < units; number++) {
        const Unit unit = find_unit(attention_, number);
        if (unit.keys)
            unit_forward(attention_, &unit, thread_scratch(scratch, size));
        else
            see_nothing(attention_, &unit);
    }
    tape_record(tape, y, attention_backward, attention_);
    return y;
}

Tensor *attention(Tape *tape, Tensor *q, Tensor *k, Tensor *v, Segments queries, Segments keys, size_t heads,
                  bool causal, double dropout_rate) {
    return attend(tape, (Part){q, 0}, (Part){k, 0}, (Part){v, 0}, q->columns, queries, keys, heads, causal,
                  dropout_rate);
}

Tensor *self_attention(Tape *tape, Tensor *qkv, Segments segments, size_t heads, bool causal,
                       double dropout_rate) {
    const size_t columns = qkv->columns / 3;
    return attend(tape, (Part){qkv, 0}, (Part){qkv, columns}, (Part){qkv, 2 * columns}, columns, segments,
                  segments, heads, causal, dropout_rate);
}

#include "nn/dropout.h"
#include "nn/operators/operators.h"
#include "nn/rounding.h"
#include "nn/small_matmul.h"
#include "nn/vector_math.h"

#include <omp.h>

/* The unit of work is a head of a segment: its parts of q, k and v are copied into small matrices that stay
 * in the cache, and all products are done there. Units write to places of their own, so that any thread may
 * take any. */

/* Columns of a tensor: queries, keys or values. */
typedef struct Part {
    Tensor *tensor;
    size_t first;
} Part;

typedef struct Attention {
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
} Attention;

/* A thread's small matrices. T are the query rows, S the key rows, W the width of a head, in whole vectors.
 */
typedef struct Scratch {
    float *a, *b, *c, *d, *e;
} Scratch;

static inline float *part_value(Part part, size_t row, size_t column) {
    return part.tensor->value + row * part.tensor->columns + part.first + column;
}

static size_t largest_segment(Segments segments) {
    size_t largest = 0;
    for (size_t i = 0; i < segments.count; i++)
        if (segments_length(segments, i) > largest) largest = segments_length(segments, i);
    return largest;
}

/* Room in each small matrix for any of T×S, S×T, T×W, W×S. */
static size_t scratch_size(const Attention *attention) {
    const size_t rows = largest_segment(attention->queries), keys = largest_segment(attention->keys);
    size_t most = rows > keys ? rows : keys;
    if (attention->width > most) most = attention->width;
    return most * small_stride(most);
}

static Scratch thread_scratch(float *all, size_t size) {
    float *own = all + (size_t)omp_get_thread_num() * 5 * size;
    return (Scratch){own, own + size, own + 2 * size, own + 3 * size, own + 4 * size};
}

static float *take_scratch(Tape *tape, size_t size) {
    return arena_take(tape->arena, (size_t)omp_get_max_threads() * 5 * size, sizeof(float));
}

static inline size_t visible_keys(const Attention *attention, size_t row, size_t keys) {
    return attention->causal && row + 1 < keys ? row + 1 : keys;
}

static void softmax_row(float *row, size_t count, size_t stride) {
    float largest = -INFINITY, total = 0;
#pragma omp simd reduction(max : largest)
    for (size_t j = 0; j < count; j++)
        largest = row[j] > largest ? row[j] : largest;
#pragma omp simd reduction(+ : total)
    for (size_t j = 0; j < count; j++) {
        row[j] = vector_exp(row[j] - largest);
        total += row[j];
    }
    const float inverse = 1.0f / total;
#pragma omp simd
    for (size_t j = 0; j < count; j++)
        row[j] *= inverse;
    for (size_t j = count; j < stride; j++)
        row[j] = 0;
}

/* The place of element (row, key) of a unit among all probabilities: what dropout hashes. */
static inline uint64_t first_index(const Attention *attention, size_t segment, size_t head, size_t rows,
                                   size_t stride) {
    return attention->offsets[segment] + head * rows * stride;
}

static void drop_probabilities(const Attention *attention, uint64_t first, size_t count, const float *from,
                               float *to) {
#pragma omp simd
    for (size_t j = 0; j < count; j++)
        to[j] = from[j] * dropout_factor(attention->dropout, first + j);
}

static void unit_forward(const Attention *attention, size_t segment, size_t head, Scratch scratch) {
    const Part q = attention->q, k = attention->k, v = attention->v;
    const size_t columns = attention->y->columns, width = attention->width, at = head * width;
    const size_t first_query = attention->queries.offsets[segment],
                 first_key = attention->keys.offsets[segment];
    const size_t rows = segments_length(attention->queries, segment),
                 keys = segments_length(attention->keys, segment);
    const size_t wide = small_stride(width), stride = small_stride(keys);
    const uint64_t index = first_index(attention, segment, head, rows, stride);
    float *scores = attention->probabilities ? attention->probabilities + index : scratch.c;

    small_copy(rows, width, attention->scale, part_value(q, first_query, at), q.tensor->columns, scratch.a,
               wide);
    small_transpose(keys, width, part_value(k, first_key, at), k.tensor->columns, scratch.b, stride);
    small_matmul(rows, keys, width, scratch.a, wide, scratch.b, stride, scores, stride);
    for (size_t i = 0; i < rows; i++)
        softmax_row(scores + i * stride, visible_keys(attention, i, keys), stride);

    if (attention->drops) {
        drop_probabilities(attention, index, rows * stride, scores, scratch.d);
        scores = scratch.d;
    }
    small_copy(keys, width, 1, part_value(v, first_key, at), v.tensor->columns, scratch.b, wide);
    small_matmul(rows, width, keys, scores, stride, scratch.b, wide, scratch.a, wide);
    for (size_t i = 0; i < rows; i++) {
        const size_t place = (first_query + i) * columns + at;
        memcpy(attention->y->value + place, scratch.a + i * wide, width * sizeof(float));
        if (attention->y->rounded) round_row(width, scratch.a + i * wide, attention->y->rounded + place);
    }
}

/* The gradient of a part's rows from `row` on, columns from `column` on, += factor · from. */
static void add_to_part(Part part, size_t row, size_t column, size_t rows, size_t width, float factor,
                        const float *from, size_t from_stride) {
    const size_t stride = part.tensor->columns;
    if (!part.tensor->needs_gradient) return;
    float *to = part.tensor->gradient + row * stride + part.first + column;
    for (size_t i = 0; i < rows; i++)
#pragma omp simd
        for (size_t j = 0; j < width; j++)
            to[i * stride + j] += factor * from[i * from_stride + j];
}

/* With P the probabilities, P' those after dropout: dV = P'ᵀ·dY, dP = (dY·Vᵀ) after dropout, dS = P∘(dP − Σ
 * dP∘P), dQ = scale·dS·K, dK = scale·dSᵀ·Q. */
static void unit_backward(const Attention *attention, size_t segment, size_t head, Scratch scratch) {
    const Part q = attention->q, k = attention->k, v = attention->v;
    const size_t columns = attention->y->columns, width = attention->width, at = head * width;
    const size_t first_query = attention->queries.offsets[segment],
                 first_key = attention->keys.offsets[segment];
    const size_t rows = segments_length(attention->queries, segment),
                 keys = segments_length(attention->keys, segment);
    const size_t wide = small_stride(width), stride = small_stride(keys), tall = small_stride(rows);
    const uint64_t index = first_index(attention, segment, head, rows, stride);
    const float *probabilities = attention->probabilities + index;
    const float *kept = probabilities;

    if (attention->drops) {
        drop_probabilities(attention, index, rows * stride, probabilities, scratch.d);
        kept = scratch.d;
    }
    small_copy(rows, width, 1, attention->y->gradient + first_query * columns + at, columns, scratch.a, wide);
    small_transpose(rows, keys, kept, stride, scratch.b, tall);
    small_matmul(keys, width, rows, scratch.b, tall, scratch.a, wide, scratch.c, wide);
    add_to_part(v, first_key, at, keys, width, 1, scratch.c, wide);

    small_transpose(keys, width, part_value(v, first_key, at), v.tensor->columns, scratch.b, stride);
    small_matmul(rows, keys, width, scratch.a, wide, scratch.b, stride, scratch.c, stride);
    if (attention->drops) drop_probabilities(attention, index, rows * stride, scratch.c, scratch.c);
    for (size_t i = 0; i < rows; i++) {
        float *gradient = scratch.c + i * stride, total = 0;
        const float *p = probabilities + i * stride;
#pragma omp simd reduction(+ : total)
        for (size_t j = 0; j < keys; j++)
            total += gradient[j] * p[j];
#pragma omp simd
        for (size_t j = 0; j < stride; j++)
            gradient[j] = p[j] * (gradient[j] - total);
    }
    if (q.tensor->needs_gradient) {
        small_copy(keys, width, 1, part_value(k, first_key, at), k.tensor->columns, scratch.b, wide);
        small_matmul(rows, width, keys, scratch.c, stride, scratch.b, wide, scratch.a, wide);
        add_to_part(q, first_query, at, rows, width, attention->scale, scratch.a, wide);
    }
    if (k.tensor->needs_gradient) {
        small_copy(rows, width, 1, part_value(q, first_query, at), q.tensor->columns, scratch.b, wide);
        small_transpose(rows, keys, scratch.c, stride, scratch.e, tall);
        small_matmul(keys, width, rows, scratch.e, tall, scratch.b, wide, scratch.a, wide);
        add_to_part(k, first_key, at, keys, width, attention->scale, scratch.a, wide);
    }
}

static void attention_backward(Tape *tape, void *context) {
    const Attention *attention = context;
    if (!attention->y->gradient) return;
    Tensor *const parts[] = {attention->q.tensor, attention->k.tensor, attention->v.tensor};
    for (size_t i = 0; i < 3; i++)
        if (parts[i]->needs_gradient) tape_gradient(tape, parts[i]);
    const size_t size = scratch_size(attention), units = attention->queries.count * attention->heads;
    float *scratch = take_scratch(tape, size);
#pragma omp parallel for schedule(dynamic, 4) if (units > 4)
    for (size_t unit = 0; unit < units; unit++) {
        const size_t segment = unit / attention->heads;
        if (segments_length(attention->queries, segment) && segments_length(attention->keys, segment))
            unit_backward(attention, segment, unit % attention->heads, thread_scratch(scratch, size));
    }
}

static void lay_out_probabilities(Tape *tape, Attention *attention) {
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
    Attention *attention_ =
        TAPE_CONTEXT(tape, Attention, q, k, v, y, queries, keys, heads, width, causal, drops,
                     drops ? dropout_create(dropout_rate, tape_dropout_seed(tape)) : (Dropout){0},
                     1.0f / sqrtf((float)width), NULL, NULL);
    lay_out_probabilities(tape, attention_);
    tape_take_rounded(tape, y);
    const size_t size = scratch_size(attention_), units = queries.count * heads;
    float *scratch = take_scratch(tape, size);
#pragma omp parallel for schedule(dynamic, 4) if (units > 4)
    for (size_t unit = 0; unit < units; unit++) {
        const size_t segment = unit / heads, head = unit % heads;
        if (segments_length(queries, segment) && segments_length(keys, segment))
            unit_forward(attention_, segment, head, thread_scratch(scratch, size));
        else /* nothing to see: zero */
            for (size_t i = queries.offsets[segment]; i < queries.offsets[segment + 1]; i++) {
                memset(y->value + i * columns + head * width, 0, width * sizeof(float));
                if (y->rounded) memset(y->rounded + i * columns + head * width, 0, width * sizeof(uint16_t));
            }
    }
    if (y->needs_gradient) tape_record(tape, attention_backward, attention_);
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

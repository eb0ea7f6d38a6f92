#include "nn/operators/operators.h"

#include <math.h>

/* Columns of a tensor: queries, keys or values. */
typedef struct Part {
    Tensor *tensor;
    size_t first;
} Part;

typedef struct AttentionContext {
    Part q, k, v;
    Tensor *y;
    Attention attention;
    size_t kept_size;
} AttentionContext;

static float *part_gradient(Tape *tape, Part part) {
    return part.tensor->needs_gradient ? tape_gradient(tape, part.tensor) + part.first : NULL;
}

static AttentionGradients find_gradients(Tape *tape, const AttentionContext *c) {
    const size_t columns = c->y->columns;
    float beta;
    if (!c->v.first) /* not the three thirds of one tensor */
        return (AttentionGradients){part_gradient(tape, c->q), part_gradient(tape, c->k),
                                    part_gradient(tape, c->v), false};
    float *gradient = tape_gradient_target(tape, c->q.tensor, &beta);
    return (AttentionGradients){gradient, gradient + columns, gradient + 2 * columns, beta == 0};
}

static void attention_backward(Tape *tape, void *context) {
    const AttentionContext *c = context;
    const AttentionGradients gradients = find_gradients(tape, c);
    tape->backend->attention->backward(&c->attention, c->y->value, c->y->gradient, gradients, tape->values);
    tape_release(tape, c->attention.kept, c->kept_size * sizeof(float));
}

static size_t largest_segment(Segments segments) {
    size_t largest = 0;
    for (size_t i = 0; i < segments.count; i++)
        if (segments_length(segments, i) > largest) largest = segments_length(segments, i);
    return largest;
}

/* Where the probabilities of each segment start among all: formula in kernels.h. */
static size_t *number_places(Tape *tape, Segments queries, Segments keys, size_t heads) {
    size_t *places = arena_take(tape->arena, queries.count + 1, sizeof *places);
    places[0] = 0;
    for (size_t i = 0; i < queries.count; i++) {
        const size_t stride =
            (segments_length(keys, i) + ATTENTION_STRIDE - 1) / ATTENTION_STRIDE * ATTENTION_STRIDE;
        places[i + 1] = places[i] + heads * segments_length(queries, i) * stride;
    }
    return places;
}

static Attention describe(Tape *tape, Segments queries, Segments keys, size_t heads, size_t width) {
    const Segments places = {queries.count, number_places(tape, queries, keys, heads)};
    return (Attention){.segments = queries.count,
                       .heads = heads,
                       .width = width,
                       .query_rows = segments_rows(queries),
                       .key_rows = segments_rows(keys),
                       .most_queries = largest_segment(queries),
                       .most_keys = largest_segment(keys),
                       .place_count = segments_rows(places),
                       .queries = tape_upload_offsets(tape, queries),
                       .keys = tape_upload_offsets(tape, keys),
                       .places = tape_upload_offsets(tape, places),
                       .scale = 1.0f / sqrtf((float)width)};
}

static void set_parts(Attention *attention, Part q, Part k, Part v) {
    attention->q = q.tensor->value + q.first;
    attention->k = k.tensor->value + k.first;
    attention->v = v.tensor->value + v.first;
    attention->q_stride = q.tensor->columns;
    attention->k_stride = k.tensor->columns;
    attention->v_stride = v.tensor->columns;
}

static Tensor *attend(Tape *tape, Part q, Part k, Part v, Attention shape, double dropout_rate) {
    const AttentionKernels *kernels = tape->backend->attention;
    Tensor *y = tape_tensor(tape, q.tensor->rows, shape.heads * shape.width,
                            q.tensor->needs_gradient || k.tensor->needs_gradient || v.tensor->needs_gradient);
    AttentionContext *c =
        TAPE_CONTEXT(tape, AttentionContext, .q = q, .k = k, .v = v, .y = y, .attention = shape);
    set_parts(&c->attention, q, k, v);
    c->attention.dropout = tape_dropout(tape, dropout_rate);
    if (y->needs_gradient) {
        c->kept_size = kernels->kept_size(&c->attention);
        c->attention.kept = tape_take(tape, c->kept_size, sizeof(float));
    }
    tape_take_rounded(tape, y);
    kernels->forward(&c->attention, (Values){y->value, y->rounded}, tape->values);
    tape_record(tape, y, attention_backward, c);
    return y;
}

Tensor *attention(Tape *tape, Tensor *q, Tensor *k, Tensor *v, Segments queries, Segments keys, size_t heads,
                  bool causal, double dropout_rate) {
    Attention shape = describe(tape, queries, keys, heads, q->columns / heads);
    shape.causal = causal;
    return attend(tape, (Part){q, 0}, (Part){k, 0}, (Part){v, 0}, shape, dropout_rate);
}

Tensor *self_attention(Tape *tape, Tensor *qkv, Segments segments, size_t heads, bool causal,
                       double dropout_rate) {
    const size_t columns = qkv->columns / 3;
    Attention shape = describe(tape, segments, segments, heads, columns / heads);
    shape.causal = causal;
    return attend(tape, (Part){qkv, 0}, (Part){qkv, columns}, (Part){qkv, 2 * columns}, shape, dropout_rate);
}

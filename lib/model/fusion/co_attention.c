/* co_att: in each layer text and image attend each other with shared weights, then each attends itself, then
 * the means of both become one vector. */
#include "core/memory.h"
#include "model/fusion/fusion.h"
#include "model/transformer_block.h"

#include <stdio.h>

#define EPSILON 1e-12

typedef struct CrossAttention {
    LinearLayer query, key, value, output;
    NormLayer norm;
} CrossAttention;

typedef struct CoAttentionLayer {
    CrossAttention cross;
    TransformerBlock text, image;
} CoAttentionLayer;

typedef struct CoAttention {
    Parameter *token_types; /* row 0 is added to text, row 1 to image */
    LinearLayer output;
    size_t heads, layer_count;
    CoAttentionLayer layers[];
} CoAttention;

static const BlockNames text_names = {
    .query = "lang_self_att.self.query",
    .key = "lang_self_att.self.key",
    .value = "lang_self_att.self.value",
    .output = "lang_self_att.output.dense",
    .attention_norm = "lang_self_att.output.LayerNorm",
    .wide = "lang_inter.dense",
    .narrow = "lang_output.dense",
    .feed_forward_norm = "lang_output.LayerNorm",
};

static const BlockNames image_names = {
    .query = "visn_self_att.self.query",
    .key = "visn_self_att.self.key",
    .value = "visn_self_att.self.value",
    .output = "visn_self_att.output.dense",
    .attention_norm = "visn_self_att.output.LayerNorm",
    .wide = "visn_inter.dense",
    .narrow = "visn_output.dense",
    .feed_forward_norm = "visn_output.LayerNorm",
};

static CrossAttention create_cross_attention(ParameterSet *set, size_t width, const char *prefix) {
#define LINEAR(name)                                                                                         \
    linear_layer_create(set, GROUP_REST, INITIAL_NORMAL, width, width, true, "%svisual_attention." name,     \
                        prefix)
    return (CrossAttention){
        LINEAR("att.query"), LINEAR("att.key"), LINEAR("att.value"), LINEAR("output.dense"),
        norm_layer_create(set, GROUP_REST, width, "%svisual_attention.output.LayerNorm", prefix)};
#undef LINEAR
}

static void *create(ParameterSet *set, const Settings *settings) {
    const size_t count = (size_t)settings->fusion_layers, width = (size_t)settings->dim;
    const BlockShape shape = {.width = width,
                              .intermediate = (size_t)settings->fusion_intermediate,
                              .heads = (size_t)settings->fusion_heads,
                              .epsilon = EPSILON,
                              .activation = ACTIVATION_GELU,
                              .attention_bias = true,
                              .initial = INITIAL_NORMAL,
                              .group = GROUP_REST};
    CoAttention *co = memory_need(1, sizeof *co + count * sizeof *co->layers);
    co->heads = shape.heads;
    co->layer_count = count;
    for (size_t i = 0; i < count; i++) {
        char prefix[64];
        snprintf(prefix, sizeof prefix, "fusion_module.CoAtt_layers.%zu.", i);
        co->layers[i] = (CoAttentionLayer){create_cross_attention(set, width, prefix),
                                           transformer_block_create(set, &shape, &text_names, prefix),
                                           transformer_block_create(set, &shape, &image_names, prefix)};
    }
    co->output =
        linear_layer_create(set, GROUP_REST, INITIAL_NORMAL, width, 2 * width, true, "fusion_module.fc_out");
    co->token_types = parameter_add(set, GROUP_REST, INITIAL_NORMAL, 2, width,
                                    "fusion_module.token_type_embeddings.weight");
    return co;
}

static Tensor *attend(Tape *tape, const CrossAttention *cross, Tensor *x, Segments segments, Tensor *other,
                      Segments other_segments, size_t heads, double dropout_rate) {
    Tensor *q = linear(tape, x, cross->query.weight, cross->query.bias, ACTIVATION_NONE);
    Tensor *k = linear(tape, other, cross->key.weight, cross->key.bias, ACTIVATION_NONE);
    Tensor *v = linear(tape, other, cross->value.weight, cross->value.bias, ACTIVATION_NONE);
    Tensor *mixed = attention(tape, q, k, v, segments, other_segments, heads, false, dropout_rate);
    mixed = linear(tape, mixed, cross->output.weight, cross->output.bias, ACTIVATION_NONE);
    return residual_layer_norm(tape, x, mixed, dropout_rate, cross->norm.weight, cross->norm.bias, EPSILON);
}

/* The padding item's one text token is masked: it is seen by the image, but is no part of a mean. */
static Segments counted_text(Tape *tape, const ItemTokens *tokens) {
    if (!tokens->padding) return tokens->text_segments;
    const size_t count = tokens->text_segments.count;
    size_t *offsets = arena_take(tape->arena, count + 1, sizeof *offsets);
    memcpy(offsets, tokens->text_segments.offsets, count * sizeof *offsets);
    offsets[count] = offsets[count - 1];
    return (Segments){count, offsets};
}

static Tensor *forward(const void *module, Tape *tape, const ItemTokens *tokens, double dropout_rate) {
    const CoAttention *co = module;
    const Segments text_segments = tokens->text_segments, image_segments = tokens->image_segments;
    Tensor *text = embedding_sum(tape, tokens->text, &(EmbeddingRows){co->token_types, NULL, 0, -1}, 1,
                                 tokens->text->rows);
    Tensor *image = embedding_sum(tape, tokens->image, &(EmbeddingRows){co->token_types, NULL, 1, -1}, 1,
                                  tokens->image->rows);
    for (size_t i = 0; i < co->layer_count; i++) {
        const CoAttentionLayer *layer = &co->layers[i];
        Tensor *x =
            attend(tape, &layer->cross, text, text_segments, image, image_segments, co->heads, dropout_rate);
        Tensor *y =
            attend(tape, &layer->cross, image, image_segments, text, text_segments, co->heads, dropout_rate);
        text = transformer_block_forward(tape, &layer->text, x, text_segments, dropout_rate);
        image = transformer_block_forward(tape, &layer->image, y, image_segments, dropout_rate);
    }
    Tensor *both = join_columns(tape, segment_mean(tape, text, counted_text(tape, tokens)),
                                segment_mean(tape, image, image_segments));
    return linear(tape, both, co->output.weight, co->output.bias, ACTIVATION_NONE);
}

const FusionKind fusion_co_attention = {.name = "co_att",
                                        .uses_text = true,
                                        .uses_image = true,
                                        .padding_text_tokens = 1,
                                        .check = fusion_check_heads,
                                        .create = create,
                                        .forward = forward};

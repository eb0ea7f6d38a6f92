/* merge_attn: BERT layers over the text tokens and the image tokens of an item together, then their mean. */
#include "core/memory.h"
#include "model/fusion/fusion.h"
#include "model/transformer_block.h"

#include <stdio.h>

typedef struct MergeAttention {
    Parameter *token_types; /* released with the model and never added, so that it has no gradient */
    size_t layer_count;
    TransformerBlock layers[];
} MergeAttention;

static const BlockNames names = {
    .query = "self_att.self.query",
    .key = "self_att.self.key",
    .value = "self_att.self.value",
    .output = "self_att.output.dense",
    .attention_norm = "self_att.output.LayerNorm",
    .wide = "inter.dense",
    .narrow = "output.dense",
    .feed_forward_norm = "output.LayerNorm",
};

static void *create(ParameterSet *set, const Settings *settings) {
    const size_t count = (size_t)settings->fusion_layers;
    const BlockShape shape = {.width = (size_t)settings->dim,
                              .intermediate = (size_t)settings->fusion_intermediate,
                              .heads = (size_t)settings->fusion_heads,
                              .epsilon = 1e-12,
                              .activation = ACTIVATION_GELU,
                              .attention_bias = true,
                              .initial = INITIAL_NORMAL,
                              .group = GROUP_REST};
    MergeAttention *merge = memory_need(1, sizeof *merge + count * sizeof *merge->layers);
    merge->layer_count = count;
    for (size_t i = 0; i < count; i++) {
        char prefix[64];
        snprintf(prefix, sizeof prefix, "fusion_module.MergeAtt_layers.%zu.", i);
        merge->layers[i] = transformer_block_create(set, &shape, &names, prefix);
    }
    merge->token_types = parameter_add(set, GROUP_REST, INITIAL_NORMAL, 2, shape.width,
                                       "fusion_module.token_type_embeddings.weight");
    return merge;
}

static Tensor *forward(const void *module, Tape *tape, const ItemTokens *tokens, double dropout_rate) {
    const MergeAttention *merge = module;
    Segments segments;
    Tensor *x = join_segments(tape, tokens->text, tokens->text_segments, tokens->image,
                              tokens->image_segments, &segments);
    for (size_t i = 0; i < merge->layer_count; i++)
        x = transformer_block_forward(tape, &merge->layers[i], x, segments, dropout_rate);
    return segment_mean(tape, x, segments);
}

const FusionKind fusion_merge_attention = {.name = "merge_attn",
                                           .uses_text = true,
                                           .uses_image = true,
                                           .check = fusion_check_heads,
                                           .create = create,
                                           .forward = forward};

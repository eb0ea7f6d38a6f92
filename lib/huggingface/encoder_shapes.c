#include "huggingface/encoder_shapes.h"

#include "core/memory.h"
#include "huggingface/hf_config.h"

#include <stdio.h>

/* Sizes by a letter: W width, F feed-forward, V vocabulary, P positions, T types, C channels, S side of a
 * patch, 1 one. */
typedef struct Row {
    const char *name, *shape;
} Row;

static const Row text_embeddings[] = {
    {"embeddings.word_embeddings.weight", "VW"},
    {"embeddings.position_embeddings.weight", "PW"},
    {"embeddings.token_type_embeddings.weight", "TW"},
    {"embeddings.LayerNorm.weight", "W"},
    {"embeddings.LayerNorm.bias", "W"},
    {0},
};

static const Row text_block[] = {
    {"attention.self.query.weight", "WW"},
    {"attention.self.query.bias", "W"},
    {"attention.self.key.weight", "WW"},
    {"attention.self.key.bias", "W"},
    {"attention.self.value.weight", "WW"},
    {"attention.self.value.bias", "W"},
    {"attention.output.dense.weight", "WW"},
    {"attention.output.dense.bias", "W"},
    {"attention.output.LayerNorm.weight", "W"},
    {"attention.output.LayerNorm.bias", "W"},
    {"intermediate.dense.weight", "FW"},
    {"intermediate.dense.bias", "F"},
    {"output.dense.weight", "WF"},
    {"output.dense.bias", "W"},
    {"output.LayerNorm.weight", "W"},
    {"output.LayerNorm.bias", "W"},
    {0},
};

static const Row clip_embeddings[] = {
    {"embeddings.class_embedding", "W"},
    {"embeddings.patch_embedding.weight", "WCSS"},
    {"embeddings.position_embedding.weight", "PW"},
    {"pre_layrnorm.weight", "W"},
    {"pre_layrnorm.bias", "W"},
    {0},
};

static const Row clip_block[] = {
    {"layer_norm1.weight", "W"},
    {"layer_norm1.bias", "W"},
    {"self_attn.q_proj.weight", "WW"},
    {"self_attn.q_proj.bias", "W"},
    {"self_attn.k_proj.weight", "WW"},
    {"self_attn.k_proj.bias", "W"},
    {"self_attn.v_proj.weight", "WW"},
    {"self_attn.v_proj.bias", "W"},
    {"self_attn.out_proj.weight", "WW"},
    {"self_attn.out_proj.bias", "W"},
    {"layer_norm2.weight", "W"},
    {"layer_norm2.bias", "W"},
    {"mlp.fc1.weight", "FW"},
    {"mlp.fc1.bias", "F"},
    {"mlp.fc2.weight", "WF"},
    {"mlp.fc2.bias", "W"},
    {0},
};

static const Row vit_embeddings[] = {
    {"embeddings.cls_token", "11W"},
    {"embeddings.position_embeddings", "1PW"},
    {"embeddings.patch_embeddings.projection.weight", "WCSS"},
    {"embeddings.patch_embeddings.projection.bias", "W"},
    {0},
};

static const Row vit_block[] = {
    {"layernorm_before.weight", "W"},
    {"layernorm_before.bias", "W"},
    {"attention.attention.query.weight", "WW"},
    {"attention.attention.query.bias", "W"},
    {"attention.attention.key.weight", "WW"},
    {"attention.attention.key.bias", "W"},
    {"attention.attention.value.weight", "WW"},
    {"attention.attention.value.bias", "W"},
    {"attention.output.dense.weight", "WW"},
    {"attention.output.dense.bias", "W"},
    {"layernorm_after.weight", "W"},
    {"layernorm_after.bias", "W"},
    {"intermediate.dense.weight", "FW"},
    {"intermediate.dense.bias", "F"},
    {"output.dense.weight", "WF"},
    {"output.dense.bias", "W"},
    {0},
};

typedef struct Layout {
    const Row *embeddings, *block;
    const char *block_prefix, *anchor;
} Layout;

static const Layout *find_layout(const json_t *config) {
    static const Layout text = {text_embeddings, text_block, "encoder.layer",
                                "embeddings.word_embeddings.weight"};
    static const Layout clip = {clip_embeddings, clip_block, "encoder.layers",
                                "embeddings.patch_embedding.weight"};
    static const Layout vit = {vit_embeddings, vit_block, "encoder.layer",
                               "embeddings.patch_embeddings.projection.weight"};
    const char *architecture = json_string_value(json_object_get(config, "architecture"));
    return !strcmp(architecture, "clip-vision") ? &clip : !strcmp(architecture, "vit") ? &vit : &text;
}

static uint64_t size_of_letter(const json_t *config, char letter) {
    const size_t side = hf_config_size(config, "image_size"), patch = hf_config_size(config, "patch_size");
    switch (letter) {
    case 'W':
        return hf_config_size(config, "hidden_size");
    case 'F':
        return hf_config_size(config, "intermediate_size");
    case 'V':
        return hf_config_size(config, "vocab_size");
    case 'P': /* of an image: the class token and every patch */
        return patch ? 1 + (side / patch) * (side / patch)
                     : hf_config_size(config, "max_position_embeddings");
    case 'T':
        return hf_config_size(config, "type_vocab_size");
    case 'C':
        return hf_config_size(config, "num_channels");
    case 'S':
        return patch;
    default:
        return 1;
    }
}

static size_t count_rows(const Row *rows) {
    size_t count = 0;
    while (rows[count].name)
        count++;
    return count;
}

static EncoderShape describe(const json_t *config, const char *prefix, const Row *row) {
    EncoderShape tensor = {.dimensions = (int)strlen(row->shape)};
    snprintf(tensor.name, sizeof tensor.name, "%s%s", prefix, row->name);
    for (int i = 0; i < tensor.dimensions; i++)
        tensor.shape[i] = size_of_letter(config, row->shape[i]);
    return tensor;
}

EncoderShape *encoder_shapes(const json_t *config, size_t *count) {
    const Layout *layout = find_layout(config);
    const size_t blocks = hf_config_size(config, "num_hidden_layers");
    const size_t below = count_rows(layout->embeddings), rows = count_rows(layout->block);
    *count = below + blocks * rows;
    EncoderShape *tensors = memory_need(*count, sizeof *tensors);
    for (size_t i = 0; i < below; i++)
        tensors[i] = describe(config, "", &layout->embeddings[i]);
    for (size_t block = 0; block < blocks; block++) {
        char prefix[40];
        snprintf(prefix, sizeof prefix, "%s.%zu.", layout->block_prefix, block);
        for (size_t i = 0; i < rows; i++)
            tensors[below + block * rows + i] = describe(config, prefix, &layout->block[i]);
    }
    return tensors;
}

const char *encoder_anchor(const json_t *config) {
    return find_layout(config)->anchor;
}

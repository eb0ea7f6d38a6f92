#include "model/encoder.h"

#include "core/memory.h"

#include <stdio.h>
#include <string.h>

static const BlockNames names_clip = {
    .query = "self_attn.q_proj",
    .key = "self_attn.k_proj",
    .value = "self_attn.v_proj",
    .output = "self_attn.out_proj",
    .attention_norm = "layer_norm1",
    .wide = "mlp.fc1",
    .narrow = "mlp.fc2",
    .feed_forward_norm = "layer_norm2",
};

static const BlockNames names_vit = {
    .query = "attention.attention.query",
    .key = "attention.attention.key",
    .value = "attention.attention.value",
    .output = "attention.output.dense",
    .attention_norm = "layernorm_before",
    .wide = "intermediate.dense",
    .narrow = "output.dense",
    .feed_forward_norm = "layernorm_after",
};

static TextEmbedding create_text_embedding(ParameterSet *set, const EncoderConfig *config,
                                           const char *prefix) {
    const size_t width = config->width;
#define TABLE(rows, name)                                                                                    \
    parameter_add(set, GROUP_TEXT, INITIAL_NORMAL, rows, width, "%sembeddings." name, prefix)
    return (TextEmbedding){TABLE(config->vocabulary, "word_embeddings.weight"),
                           TABLE(config->positions, "position_embeddings.weight"),
                           TABLE(config->types, "token_type_embeddings.weight"),
                           norm_layer_create(set, GROUP_TEXT, width, "%sembeddings.LayerNorm", prefix)};
#undef TABLE
}

static Parameter *image_parameter(ParameterSet *set, int dimensions, const uint64_t *shape,
                                  const char *prefix, const char *rest) {
    char name[512];
    snprintf(name, sizeof name, "%s%s", prefix, rest);
    return parameter_add_shaped(set, GROUP_IMAGE, INITIAL_NORMAL, dimensions, shape, name);
}

static ImageEmbedding create_image_embedding(ParameterSet *set, const EncoderConfig *config,
                                             const char *prefix) {
    const uint64_t width = config->width, tokens = encoder_config_image_tokens(config);
    const uint64_t patch[] = {width, config->channels, config->patch_size, config->patch_size};
    if (config->architecture == ENCODER_VIT) {
        ImageEmbedding image = {
            image_parameter(set, 3, (uint64_t[]){1, 1, width}, prefix, "embeddings.cls_token"),
            image_parameter(set, 4, patch, prefix, "embeddings.patch_embeddings.projection.weight"),
            parameter_add(set, GROUP_IMAGE, INITIAL_ZERO, width, 0,
                          "%sembeddings.patch_embeddings.projection.bias", prefix),
            image_parameter(set, 3, (uint64_t[]){1, tokens, width}, prefix, "embeddings.position_embeddings"),
            {NULL, NULL}};
        image.positions->rows = tokens; /* a table of rows for all its [1, tokens, width] */
        image.positions->columns = width;
        return image;
    }
    return (ImageEmbedding){
        image_parameter(set, 1, (uint64_t[]){width}, prefix, "embeddings.class_embedding"),
        image_parameter(set, 4, patch, prefix, "embeddings.patch_embedding.weight"), NULL,
        image_parameter(set, 2, (uint64_t[]){tokens, width}, prefix, "embeddings.position_embedding.weight"),
        norm_layer_create(set, GROUP_IMAGE, width, "%spre_layrnorm", prefix)};
}

static BlockShape block_shape(const EncoderConfig *config) {
    const bool text = encoder_config_is_text(config);
    return (BlockShape){.width = config->width,
                        .intermediate = config->intermediate,
                        .heads = config->heads,
                        .epsilon = config->epsilon,
                        .activation = config->activation,
                        .norm_first = !text,
                        .attention_bias = true,
                        .initial = INITIAL_NORMAL,
                        .group = text ? GROUP_TEXT : GROUP_IMAGE};
}

Encoder *encoder_create(ParameterSet *set, const EncoderConfig *config, const char *prefix, int64_t start,
                        size_t end) {
    Encoder *encoder = memory_need(1, sizeof *encoder);
    const bool text = encoder_config_is_text(config), clip = config->architecture == ENCODER_CLIP_VISION;
    const size_t first = start < 0 ? 0 : (size_t)start;
    const BlockShape shape = block_shape(config);
    encoder->config = *config;
    encoder->start = start;
    if (start < 0 && text) encoder->text = create_text_embedding(set, config, prefix);
    if (start < 0 && !text) encoder->image = create_image_embedding(set, config, prefix);
    encoder->block_count = end > first ? end - first : 0;
    encoder->blocks = memory_need(encoder->block_count, sizeof *encoder->blocks);
    for (size_t i = 0; i < encoder->block_count; i++) {
        char name[512];
        snprintf(name, sizeof name, "%sencoder.layer%s.%zu.", prefix, clip ? "s" : "", first + i);
        encoder->blocks[i] = transformer_block_create(set, &shape,
                                                      text   ? &block_names_bert
                                                      : clip ? &names_clip
                                                             : &names_vit,
                                                      name);
    }
    return encoder;
}

void encoder_destroy(Encoder *encoder) {
    if (!encoder) return;
    free(encoder->blocks);
    free(encoder);
}

bool encoder_check_tokens(const EncoderConfig *config, const uint32_t *ids, size_t count, Error *error) {
    const size_t most = encoder_config_most_tokens(config);
    if (count > most)
        return error_set(error,
                         "%zu tokens, but the encoder has positions for %zu; tokenize with --max-tokens %zu",
                         count, most, most);
    for (size_t i = 0; i < count; i++)
        if (ids[i] >= config->vocabulary)
            return error_set(error, "token id %u is not in the encoder's vocabulary of %zu", ids[i],
                             config->vocabulary);
    return true;
}

/* RoBERTa counts from pad + 1 and gives padding ids the position pad; BERT counts all from 0. */
static uint32_t *number_positions(const EncoderConfig *config, Tape *tape, const uint32_t *ids,
                                  Segments segments) {
    uint32_t *positions = arena_take(tape->arena, segments_rows(segments), sizeof *positions);
    const uint32_t padding = config->padding_id;
    for (size_t i = 0; i < segments.count; i++) {
        uint32_t next = config->architecture == ENCODER_ROBERTA ? padding + 1 : 0;
        for (size_t t = segments.offsets[i]; t < segments.offsets[i + 1]; t++)
            positions[t] = config->architecture == ENCODER_ROBERTA && ids[t] == padding ? padding : next++;
    }
    return positions;
}

Tensor *encoder_embed_text(const Encoder *encoder, Tape *tape, const uint32_t *ids, Segments segments,
                           double dropout_rate) {
    const EncoderConfig *config = &encoder->config;
    const TextEmbedding *text = &encoder->text;
    const bool roberta = config->architecture == ENCODER_ROBERTA;
    const EmbeddingRows tables[] = {{text->words, ids, 0, config->padding_id},
                                    {text->types, NULL, 0, -1},
                                    {text->positions, number_positions(config, tape, ids, segments), 0,
                                     roberta ? (int64_t)config->padding_id : -1}};
    Tensor *sum = embedding_sum(tape, NULL, tables, 3, segments_rows(segments));
    return dropout(tape, layer_norm(tape, sum, text->norm.weight, text->norm.bias, config->epsilon),
                   dropout_rate);
}

Tensor *encoder_embed_images(const Encoder *encoder, Tape *tape, const float *pixels, size_t images,
                             Segments *segments, double dropout_rate) {
    const EncoderConfig *config = &encoder->config;
    const ImageEmbedding *image = &encoder->image;
    const size_t tokens = encoder_config_image_tokens(config);
    size_t *offsets = arena_take(tape->arena, images + 1, sizeof *offsets);
    uint32_t *positions = arena_take(tape->arena, images * tokens, sizeof *positions);
    for (size_t i = 0; i <= images; i++)
        offsets[i] = i * (tokens - 1);
    for (size_t i = 0; i < images * tokens; i++)
        positions[i] = (uint32_t)(i % tokens);
    Tensor *patches =
        cut_patches(tape, pixels, images, config->channels, config->image_size, config->patch_size);
    patches = linear(tape, patches, image->patches, image->patch_bias, ACTIVATION_NONE);
    Tensor *x = prepend_row(tape, image->class_token, patches, (Segments){images, offsets}, segments);
    x = embedding_sum(tape, x, &(EmbeddingRows){image->positions, positions, 0, -1}, 1, images * tokens);
    if (image->norm.weight) return layer_norm(tape, x, image->norm.weight, image->norm.bias, config->epsilon);
    return dropout(tape, x, dropout_rate);
}

Tensor *encoder_run_blocks(const Encoder *encoder, Tape *tape, Tensor *hidden, Segments segments, size_t end,
                           double dropout_rate) {
    const size_t first = encoder->start < 0 ? 0 : (size_t)encoder->start;
    for (size_t i = 0; first + i < end && i < encoder->block_count; i++) {
        if (tape->recording) {
            hidden = transformer_block_forward(tape, &encoder->blocks[i], hidden, segments, dropout_rate);
            continue;
        }
        Tensor *kept = i ? hidden : tape_tensor(tape, hidden->rows, hidden->columns, false);
        const TapeMark mark = tape_mark(tape);
        const Tensor *y = transformer_block_forward(tape, &encoder->blocks[i], hidden, segments, 0);
        tape->backend->memory->copy(y->rows * y->columns * sizeof(float), y->value, kept->value);
        tape_rewind(tape, mark);
        hidden->rounded = kept->rounded = NULL; /* of other values, and in memory that was given back */
        hidden = kept;
    }
    return hidden;
}

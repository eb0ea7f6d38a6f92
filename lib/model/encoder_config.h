/* The architecture of a text or image encoder, as the stream headers carry it: a Hugging Face config.json
 * with the names that all architectures share (formats/models.md). */
#ifndef MODEL_ENCODER_CONFIG_H
#define MODEL_ENCODER_CONFIG_H

#include "core/error.h"
#include "data/image_recipe.h"
#include "nn/operators/operators.h"

#include <jansson.h>

typedef enum EncoderArchitecture {
    ENCODER_ROBERTA,
    ENCODER_BERT,
    ENCODER_CLIP_VISION,
    ENCODER_VIT
} EncoderArchitecture;

typedef struct EncoderConfig {
    EncoderArchitecture architecture; /* XLM-RoBERTa's is RoBERTa's */
    size_t width, blocks, heads, intermediate;
    double epsilon;
    Activation activation;
    size_t vocabulary, positions, types; /* text */
    uint32_t padding_id;
    size_t image_size, patch_size, channels; /* image */
    ImageRecipe recipe;
} EncoderConfig;

bool encoder_config_read(EncoderConfig *config, const json_t *json, Error *error);

static inline bool encoder_config_is_text(const EncoderConfig *config) {
    return config->architecture == ENCODER_ROBERTA || config->architecture == ENCODER_BERT;
}

/* Tokens of an image: the class token and the patches. */
static inline size_t encoder_config_image_tokens(const EncoderConfig *config) {
    const size_t side = config->image_size / config->patch_size;
    return side * side + 1;
}

/* The most tokens that a text may have. */
static inline size_t encoder_config_most_tokens(const EncoderConfig *config) {
    return config->architecture == ENCODER_ROBERTA ? config->positions - config->padding_id - 1
                                                   : config->positions;
}

#endif

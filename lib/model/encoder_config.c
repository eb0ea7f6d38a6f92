#include "model/encoder_config.h"

#include <string.h>

static bool read_size(const json_t *json, const char *key, size_t *size, Error *error) {
    const json_t *value = json_object_get(json, key);
    if (!json_is_integer(value) || json_integer_value(value) < 1 || json_integer_value(value) > 100000000)
        return error_set(error, "the encoder's configuration needs a whole number above 0 as %s", key);
    *size = (size_t)json_integer_value(value);
    return true;
}

static bool read_architecture(EncoderConfig *config, const json_t *json, Error *error) {
    static const struct {
        const char *name;
        EncoderArchitecture architecture;
    } known[] = {{"xlm-roberta", ENCODER_ROBERTA},
                 {"roberta", ENCODER_ROBERTA},
                 {"bert", ENCODER_BERT},
                 {"clip-vision", ENCODER_CLIP_VISION},
                 {"vit", ENCODER_VIT}};
    const char *name = json_string_value(json_object_get(json, "architecture"));
    for (size_t i = 0; name && i < sizeof known / sizeof *known; i++)
        if (!strcmp(name, known[i].name)) {
            config->architecture = known[i].architecture;
            return true;
        }
    return error_set(
        error, "unknown encoder architecture '%s'; known are xlm-roberta, roberta, bert, clip-vision, vit",
        name ? name : "");
}

static bool read_activation(EncoderConfig *config, const json_t *json, Error *error) {
    const char *name = json_string_value(json_object_get(json, "hidden_act"));
    if (name && !strcmp(name, "gelu"))
        config->activation = ACTIVATION_GELU;
    else if (name && !strcmp(name, "quick_gelu"))
        config->activation = ACTIVATION_QUICK_GELU;
    else if (name && !strcmp(name, "relu"))
        config->activation = ACTIVATION_RELU;
    else
        return error_set(error, "unknown hidden_act '%s'; known are gelu, quick_gelu, relu",
                         name ? name : "");
    return true;
}

static bool read_text(EncoderConfig *config, const json_t *json, Error *error) {
    const json_t *padding = json_object_get(json, "pad_token_id");
    if (!read_size(json, "vocab_size", &config->vocabulary, error) ||
        !read_size(json, "max_position_embeddings", &config->positions, error) ||
        !read_size(json, "type_vocab_size", &config->types, error))
        return false;
    if (!json_is_integer(padding) || json_integer_value(padding) < 0 ||
        (size_t)json_integer_value(padding) + 1 >= config->vocabulary)
        return error_set(error, "the encoder's pad_token_id must be one of its vocabulary");
    config->padding_id = (uint32_t)json_integer_value(padding);
    if (config->architecture == ENCODER_ROBERTA && config->positions < (size_t)config->padding_id + 2)
        return error_set(error, "the encoder's max_position_embeddings leaves no place for a token");
    return true;
}

bool encoder_config_read(EncoderConfig *config, const json_t *json, Error *error) {
    *config = (EncoderConfig){0};
    if (!read_architecture(config, json, error) || !read_activation(config, json, error) ||
        !read_size(json, "hidden_size", &config->width, error) ||
        !read_size(json, "num_hidden_layers", &config->blocks, error) ||
        !read_size(json, "num_attention_heads", &config->heads, error) ||
        !read_size(json, "intermediate_size", &config->intermediate, error))
        return false;
    config->epsilon = json_number_value(json_object_get(json, "layer_norm_eps"));
    if (!(config->epsilon > 0 && config->epsilon < 1))
        return error_set(error, "the encoder's layer_norm_eps must be above 0 and below 1");
    if (config->width % config->heads)
        return error_set(error, "the encoder's hidden_size %zu is no multiple of its num_attention_heads %zu",
                         config->width, config->heads);
    if (encoder_config_is_text(config)) return read_text(config, json, error);
    if (!read_size(json, "image_size", &config->image_size, error) ||
        !read_size(json, "patch_size", &config->patch_size, error) ||
        !read_size(json, "num_channels", &config->channels, error))
        return false;
    if (config->channels != 3 || config->patch_size > config->image_size || config->image_size > 16384)
        return error_set(error,
                         "the image encoder needs 3 channels and a patch_size of at most its image_size");
    return image_recipe_read(&config->recipe, json, error);
}

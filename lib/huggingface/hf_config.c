#include "huggingface/hf_config.h"

#include "core/json_file.h"
#include "data/image_recipe.h"
#include "huggingface/preprocessor.h"

#include <string.h>

enum { MAX_VOCABULARY = 1 << 24, MAX_WIDTH = 1 << 16, MAX_IMAGE = 1 << 14 };

/* Defaults are those of transformers' configuration classes. A key that an architecture lacks has none. */
typedef struct Architecture {
    const char *model_type, *name, *modality;
    long vocabulary, pad;
    double epsilon;
    long patch;
    const char *activation;
} Architecture;

static const Architecture architectures[] = {
    {"xlm-roberta", "xlm-roberta", "text", 30522, 1, 1e-12, 0, "gelu"},
    {"roberta", "roberta", "text", 50265, 1, 1e-12, 0, "gelu"},
    {"camembert", "roberta", "text", 30522, 1, 1e-12, 0, "gelu"},
    {"bert", "bert", "text", 30522, 0, 1e-12, 0, "gelu"},
    {"clip_vision_model", "clip-vision", "image", 0, 0, 1e-5, 32, "quick_gelu"},
    {"clip-vision", "clip-vision", "image", 0, 0, 1e-5, 32, "quick_gelu"},
    {"vit", "vit", "image", 0, 0, 1e-12, 16, "gelu"},
};

static const Architecture *find_architecture(const json_t *raw, Error *error) {
    const char *type = json_string_value(json_object_get(raw, "architecture"));
    if (!type) type = json_string_value(json_object_get(raw, "model_type"));
    for (size_t i = 0; type && i < sizeof architectures / sizeof *architectures; i++)
        if (!strcmp(type, architectures[i].model_type)) return &architectures[i];
    error_set(error,
              type ? "model_type '%.60s' is no encoder that is known; there are xlm-roberta, roberta, bert, "
                     "clip (its image part), clip_vision_model and vit"
                   : "no model_type in it; is it a Hugging Face config.json?%.0s",
              type ? type : "");
    return NULL;
}

/* Sets `key` to the number in `raw`, or to `missing` when there is none. */
static bool copy_size(const json_t *raw, json_t *config, const char *key, long missing, long minimum,
                      long maximum, Error *error) {
    const json_t *value = json_object_get(raw, key);
    if (value && !json_is_integer(value)) return error_set(error, "%s is no whole number", key);
    const json_int_t number = value ? json_integer_value(value) : missing;
    if (number < minimum || number > maximum)
        return error_set(error, "%s is %" JSON_INTEGER_FORMAT ", not between %ld and %ld", key, number,
                         minimum, maximum);
    json_object_set_new(config, key, json_integer(number));
    return true;
}

static bool copy_epsilon(const json_t *raw, json_t *config, double missing, Error *error) {
    const json_t *value = json_object_get(raw, "layer_norm_eps");
    if (value && !json_is_number(value)) return error_set(error, "layer_norm_eps is no number");
    const double number = value ? json_number_value(value) : missing;
    if (!(number > 0 && number < 1))
        return error_set(error, "layer_norm_eps is %g, not between 0 and 1", number);
    json_object_set_new(config, "layer_norm_eps", json_real(number));
    return true;
}

/* How wide fresh weights are drawn; kept only where it is said, since it is no part of the architecture. */
static bool copy_initial(const json_t *raw, json_t *config, const char *key, Error *error) {
    const json_t *value = json_object_get(raw, key);
    if (!value) return true;
    const double number = json_number_value(value);
    if (!json_is_number(value) || !(number > 0 && number <= 100))
        return error_set(error, "%s must be a number above 0 and at most 100", key);
    json_object_set_new(config, key, json_real(number));
    return true;
}

static bool copy_activation(const json_t *raw, json_t *config, const char *missing, Error *error) {
    const json_t *value = json_object_get(raw, "hidden_act");
    const char *name = value ? json_string_value(value) : missing;
    if (!name || (strcmp(name, "gelu") && strcmp(name, "quick_gelu") && strcmp(name, "relu")))
        return error_set(error, "hidden_act '%.40s' is not supported; there are gelu, quick_gelu and relu",
                         name ? name : "(no string)");
    json_object_set_new(config, "hidden_act", json_string(name));
    return true;
}

/* What would change the arithmetic and is not built here. */
static bool check_variants(const json_t *raw, Error *error) {
    const char *positions = json_string_value(json_object_get(raw, "position_embedding_type"));
    if (positions && strcmp(positions, "absolute"))
        return error_set(error, "position_embedding_type '%.40s' is not supported, only absolute", positions);
    if (json_is_true(json_object_get(raw, "is_decoder")))
        return error_set(error, "is_decoder is set; only encoders are supported");
    if (json_is_false(json_object_get(raw, "qkv_bias")))
        return error_set(error, "qkv_bias is false; only encoders with these biases are supported");
    return true;
}

static bool copy_common(const json_t *raw, json_t *config, const Architecture *kind, Error *error) {
    json_object_set_new(config, "architecture", json_string(kind->name));
    return check_variants(raw, error) && copy_size(raw, config, "hidden_size", 768, 1, MAX_WIDTH, error) &&
           copy_size(raw, config, "num_hidden_layers", 12, 1, 1000, error) &&
           copy_size(raw, config, "num_attention_heads", 12, 1, 1024, error) &&
           copy_size(raw, config, "intermediate_size", 3072, 1, 4 * MAX_WIDTH, error) &&
           copy_epsilon(raw, config, kind->epsilon, error) &&
           copy_initial(raw, config, "initializer_range", error) &&
           copy_initial(raw, config, "initializer_factor", error) &&
           copy_activation(raw, config, kind->activation, error);
}

static bool copy_text(const json_t *raw, json_t *config, const Architecture *kind, Error *error) {
    if (!copy_size(raw, config, "vocab_size", kind->vocabulary, 2, MAX_VOCABULARY, error)) return false;
    const long vocabulary = (long)hf_config_size(config, "vocab_size");
    return copy_size(raw, config, "max_position_embeddings", 512, 1, MAX_VOCABULARY, error) &&
           copy_size(raw, config, "type_vocab_size", 2, 1, MAX_WIDTH, error) &&
           copy_size(raw, config, "pad_token_id", kind->pad, 0, vocabulary - 2, error);
}

/* How images are prepared, where that is said. */
static bool copy_recipe(const json_t *raw, json_t *config, Error *error) {
    static const char *const keys[] = {"resample", "shortest_edge", "image_mean", "image_std"};
    ImageRecipe recipe;
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (json_object_get(raw, keys[i])) json_object_set(config, keys[i], json_object_get(raw, keys[i]));
    return image_recipe_read(&recipe, config, error);
}

static bool copy_image(const json_t *raw, json_t *config, const Architecture *kind, Error *error) {
    return copy_size(raw, config, "image_size", 224, 1, MAX_IMAGE, error) &&
           copy_size(raw, config, "patch_size", kind->patch, 1, (long)hf_config_size(config, "image_size"),
                     error) &&
           copy_size(raw, config, "num_channels", 3, 3, 3, error) && copy_recipe(raw, config, error);
}

static bool check_together(const json_t *config, const Architecture *kind, Error *error) {
    if (hf_config_size(config, "hidden_size") % hf_config_size(config, "num_attention_heads"))
        return error_set(error, "hidden_size %zu is no multiple of num_attention_heads %zu",
                         hf_config_size(config, "hidden_size"),
                         hf_config_size(config, "num_attention_heads"));
    if (strstr(kind->name, "roberta") &&
        hf_config_size(config, "max_position_embeddings") < hf_config_size(config, "pad_token_id") + 2)
        return error_set(error, "max_position_embeddings leaves no place for a token");
    return true;
}

/* The image part of a whole CLIP model's configuration; older files have it under two keys, of which the
 * second wins. */
static json_t *clip_image_part(const json_t *raw, Error *error) {
    const json_t *part = json_object_get(raw, "vision_config"),
                 *older = json_object_get(raw, "vision_config_dict");
    if (!json_is_object(part) && !json_is_object(older)) {
        error_set(error, "a CLIP configuration without a vision_config");
        return NULL;
    }
    json_t *joined = json_is_object(part) ? json_copy((json_t *)part) : json_object();
    if (json_is_object(older)) json_object_update(joined, (json_t *)older);
    json_object_set_new(joined, "model_type", json_string("clip_vision_model"));
    return joined;
}

json_t *hf_config_normalise(const json_t *raw, Error *error) {
    const char *type = json_string_value(json_object_get(raw, "model_type"));
    if (!json_is_object(raw)) {
        error_set(error, "no JSON object");
        return NULL;
    }
    if (type && !strcmp(type, "clip")) {
        json_t *part = clip_image_part(raw, error);
        json_t *config = part ? hf_config_normalise(part, error) : NULL;
        json_decref(part);
        return config;
    }
    const Architecture *kind = find_architecture(raw, error);
    if (!kind) return NULL;
    json_t *config = json_object();
    if (copy_common(raw, config, kind, error) &&
        (!strcmp(kind->modality, "text") ? copy_text(raw, config, kind, error)
                                         : copy_image(raw, config, kind, error)) &&
        check_together(config, kind, error))
        return config;
    json_decref(config);
    return NULL;
}

json_t *hf_config_read(const char *path, Error *error) {
    json_t *raw = json_file_read(path, HF_CONFIG_LIMIT, error);
    if (!raw) return NULL;
    json_t *config = hf_config_normalise(raw, error);
    json_decref(raw);
    if (!config) {
        error_prefix(error, "%s: ", path);
    } else if (!strcmp(hf_config_modality(config), "image") && !preprocessor_add(config, path, error)) {
        json_decref(config);
        return NULL;
    }
    return config;
}

const char *hf_config_modality(const json_t *config) {
    return json_object_get(config, "patch_size") ? "image" : "text";
}

size_t hf_config_size(const json_t *config, const char *key) {
    return (size_t)json_integer_value(json_object_get(config, key));
}

size_t hf_config_positions(const json_t *config) {
    const char *architecture = json_string_value(json_object_get(config, "architecture"));
    const size_t positions = hf_config_size(config, "max_position_embeddings");
    return strstr(architecture, "roberta") ? positions - hf_config_size(config, "pad_token_id") - 1
                                           : positions;
}

/* The description of an encoder: a Hugging Face config.json brought to one form (formats/models.md). */
#ifndef HUGGINGFACE_HF_CONFIG_H
#define HUGGINGFACE_HF_CONFIG_H

#include "core/error.h"

#include <jansson.h>

enum { HF_CONFIG_LIMIT = 1 << 20 }; /* bytes of a config.json */

/* {"architecture": "xlm-roberta" | "roberta" | "bert" | "clip-vision" | "vit", "hidden_size",
 * "num_hidden_layers", "num_attention_heads", "intermediate_size", "layer_norm_eps", "hidden_act"} and for
 * text "vocab_size", "max_position_embeddings", "type_vocab_size", "pad_token_id", for images "image_size",
 * "patch_size", "num_channels"; every value checked, missing ones as Hugging Face has them. A description
 * that is normalised already comes out as it is. Of a whole CLIP model the image part is taken. A new
 * reference. */
json_t *hf_config_normalise(const json_t *raw, Error *error);

/* The same of a file; a message names it. */
json_t *hf_config_read(const char *path, Error *error);

/* "text" or "image", of a normalised description. */
const char *hf_config_modality(const json_t *config);

/* How many tokens a text may have, of the normalised description of a text encoder: RoBERTa and its kin
 * number the positions from pad_token_id + 1. */
size_t hf_config_positions(const json_t *config);

/* A whole number of a normalised description. */
size_t hf_config_size(const json_t *config, const char *key);

#endif

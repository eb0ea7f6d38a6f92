/* preprocessor_config.json of a Hugging Face folder: how images become the encoder's input. */
#ifndef HUGGINGFACE_PREPROCESSOR_H
#define HUGGINGFACE_PREPROCESSOR_H

#include "core/error.h"

#include <jansson.h>

/* Adds what the file in the folder of `config_path` says to the normalised description of an image encoder,
 * under the keys of data/image_recipe.h; without the file nothing. What cannot be done here is warned of. */
bool preprocessor_add(json_t *config, const char *config_path, Error *error);

#endif

/* An encoder with random weights, to be trained from nothing or to test with. */
#ifndef MODEL_FRESH_ENCODER_H
#define MODEL_FRESH_ENCODER_H

#include "stream/writer.h"

/* Puts the tensors of the encoder that `config` (normalised, huggingface/hf_config.h) describes, each drawn
 * on its own from the seed and its name, as Hugging Face initialises them: weights normal with the deviation
 * initializer_range (0.02), in CLIP's blocks by its factors of width and depth times initializer_factor (1);
 * biases 0, layer norms 1 and 0, the padding token's row 0. */
bool fresh_encoder_put(StreamWriter *writer, const json_t *config, uint64_t seed, Error *error);

#endif

/* What the names and shapes of a model's tensors tell about its settings. */
#ifndef CONVERT_MODEL_INFERENCE_H
#define CONVERT_MODEL_INFERENCE_H

#include "huggingface/tensor_choice.h"

/* The settings tower, fusion, fusion-layers, fusion-intermediate, user-encoder, user-blocks, dim and
 * max-seq-len as far as the tensors tell; numbers of heads they do not. A new reference. */
json_t *model_settings_infer(const TensorChoices *choices);

#endif

/* The tensors of an encoder: their names in a Hugging Face model without any prefix, and their shapes. */
#ifndef HUGGINGFACE_ENCODER_SHAPES_H
#define HUGGINGFACE_ENCODER_SHAPES_H

#include "stream/record.h"

#include <jansson.h>

enum { ENCODER_MAX_DIMENSIONS = 4, ENCODER_NAME = 128 };

typedef struct EncoderShape {
    char name[ENCODER_NAME];
    int dimensions;
    uint64_t shape[ENCODER_MAX_DIMENSIONS];
} EncoderShape;

/* The tensors of an encoder with this normalised description (hf_config.h), in the order of the computation:
 * embeddings, block after block. To be freed. */
EncoderShape *encoder_shapes(const json_t *config, size_t *count);

/* The tensor by whose name an encoder is found in a file of more than it. */
const char *encoder_anchor(const json_t *config);

#endif

/* The tensors of an encoder under their Hugging Face names, for all who make, read or check one. */
#ifndef MODEL_ENCODER_LAYOUT_H
#define MODEL_ENCODER_LAYOUT_H

#include "core/error.h"

#include <jansson.h>
#include <stdint.h>

typedef enum EncoderInitial { ENCODER_ZERO, ENCODER_ONE, ENCODER_NORMAL } EncoderInitial;

enum { ENCODER_NAME_SIZE = 80 };

typedef struct EncoderTensor {
    char name[ENCODER_NAME_SIZE];
    int dimensions;
    uint64_t shape[4];
    EncoderInitial initial; /* what a fresh encoder holds */
    double deviation;       /* of ENCODER_NORMAL */
    int64_t zero_row;       /* this row of a fresh tensor is 0 (the padding token's); −1: none */
} EncoderTensor;

/* The tensors of the encoder that `config` (normalised by hf_config_read) describes, embeddings first, then
 * block by block. Returns how many, and in *list an array to be freed; 0 when the configuration is wrong. */
size_t encoder_layout(const json_t *config, EncoderTensor **list, Error *error);

uint64_t encoder_tensor_elements(const EncoderTensor *tensor);

#endif

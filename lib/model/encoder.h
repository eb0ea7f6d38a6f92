/* Text and image encoders: an embedding of token ids or pixels, and transformer blocks over it. Only what is
 * needed is there: an encoder that starts from hidden states after K blocks has neither the embedding nor
 * those blocks. */
#ifndef MODEL_ENCODER_H
#define MODEL_ENCODER_H

#include "model/encoder_config.h"
#include "model/transformer_block.h"

enum { ENCODER_FROM_INPUT = -1 }; /* tokens or pixels, in place of a number of blocks that were applied */

typedef struct TextEmbedding {
    Parameter *words, *positions, *types;
    NormLayer norm;
} TextEmbedding;

typedef struct ImageEmbedding {
    Parameter *class_token, *patches, *patch_bias, *positions;
    NormLayer norm; /* CLIP's before the blocks; NULL for ViT */
} ImageEmbedding;

typedef struct Encoder {
    EncoderConfig config;
    int64_t start; /* ENCODER_FROM_INPUT, or how many blocks its input has behind it */
    TextEmbedding text;
    ImageEmbedding image;
    TransformerBlock *blocks; /* blocks[i] is number max(start, 0) + i */
    size_t block_count;
} Encoder;

/* Adds the parameters from `start` up to block `end` under the names of Hugging Face behind `prefix`. The
 * encoder is to be given to encoder_destroy; the parameters belong to the set. */
Encoder *encoder_create(ParameterSet *set, const EncoderConfig *config, const char *prefix, int64_t start,
                        size_t end);
void encoder_destroy(Encoder *encoder);

/* Token ids of each segment → hidden states [tokens, width]. Ids must be below the vocabulary and segments
 * within the positions: encoder_check_tokens. */
Tensor *encoder_embed_text(const Encoder *encoder, Tape *tape, const uint32_t *ids, Segments segments,
                           double dropout);
bool encoder_check_tokens(const EncoderConfig *config, const uint32_t *ids, size_t count, Error *error);

/* Pixels [images, 3, size, size], normalised → hidden states [images × tokens, width] and their segments. */
Tensor *encoder_embed_images(const Encoder *encoder, Tape *tape, const float *pixels, size_t images,
                             Segments *segments, double dropout);

/* Runs the blocks up to number `end`. On a tape that does not record, their memory is given back as they
 * finish. */
Tensor *encoder_run_blocks(const Encoder *encoder, Tape *tape, Tensor *hidden, Segments segments, size_t end,
                           double dropout);

#endif

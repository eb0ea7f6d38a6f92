/* What the config.json of a Hugging Face text encoder allows its tokenizer. */
#ifndef TEXT_ENCODER_LIMITS_H
#define TEXT_ENCODER_LIMITS_H

#include "text/tokenizer.h"

typedef struct EncoderLimits {
    char *model_type;
    int64_t positions; /* tokens of the longest text */
    int64_t vocabulary_size;
} EncoderLimits;

bool encoder_limits_read(EncoderLimits *limits, const char *folder, Error *error);
void encoder_limits_free(EncoderLimits *limits);

/* Whether the encoder can take what the tokenizer makes; the message says what to do. */
bool encoder_limits_check(const EncoderLimits *limits, const char *folder, const Tokenizer *tokenizer,
                          size_t max_tokens, Error *error);

#endif

/* The tokenizer of an encoder. */
#ifndef HUGGINGFACE_TOKENIZER_FOLDER_H
#define HUGGINGFACE_TOKENIZER_FOLDER_H

#include "text/tokenizer.h"

/* The tokenizer in the Hugging Face folder of a text encoder, checked against the config.json there: the
 * encoder must have a position for each of max_tokens tokens and an embedding for every id. */
Tokenizer *encoder_tokenizer_open(const char *folder, size_t max_tokens, Error *error);

#endif

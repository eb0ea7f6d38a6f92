/* Text to token ids. */
#ifndef TEXT_TOKENIZER_H
#define TEXT_TOKENIZER_H

#include "core/error.h"

#include <stddef.h>
#include <stdint.h>

typedef struct Tokenizer Tokenizer;

typedef struct TokenIds {
    int32_t *ids;
    size_t count, capacity;
} TokenIds;

void token_ids_append(TokenIds *ids, int32_t id);

/* Of a file: vocab.txt and other .txt are WordPiece, vocab.json and other .json byte-level BPE (merges.txt
 * beside it), all others SentencePiece. */
Tokenizer *tokenizer_open_file(const char *path, Error *error);

/* The one whose file lies in a Hugging Face folder. */
Tokenizer *tokenizer_open_folder(const char *folder, Error *error);

/* Of UTF-8 bytes, which needs no file. */
Tokenizer *tokenizer_open_bytes(void);

void tokenizer_close(Tokenizer *tokenizer);

/* Its kind and the content hash of its files, on one line, as headers of streams name it. */
const char *tokenizer_description(const Tokenizer *tokenizer);

/* Whether do_lower_case in tokenizer_config.json says that texts are not to be lower-cased. */
bool tokenizer_keeps_case(const Tokenizer *tokenizer);

/* Whether its ids are those of an encoder with this model_type, or whose tokenizer_class (NULL: not said) has
 * them. */
bool tokenizer_is_meant_for(const Tokenizer *tokenizer, const char *model_type, const char *tokenizer_class);

/* What its file is called in a Hugging Face folder. */
const char *tokenizer_file(const Tokenizer *tokenizer);

/* All ids are below it. */
int64_t tokenizer_vocabulary_size(const Tokenizer *tokenizer);

/* Sets *ids to the ids of a text in well-formed UTF-8: the first special token, at most max_tokens − 2 of the
 * text's own, the last special token; *cut says whether there were more. With parse_special a literal <s>,
 * </s>, <mask> … in the text becomes that token, as Hugging Face's tokenizers have it. May be called by many
 * threads at once. */
bool tokenizer_encode(const Tokenizer *tokenizer, const char *text, size_t size, size_t max_tokens,
                      bool parse_special, TokenIds *ids, bool *cut, Error *error);

#endif

/* What a kind of tokenizer is made of. A new kind is one file and one line of the registry in tokenizer.c. */
#ifndef TEXT_TOKENIZER_KIND_H
#define TEXT_TOKENIZER_KIND_H

#include "stream/content_hash.h"
#include "text/tokenizer.h"

#include <jansson.h>

enum { TOKENIZER_MAX_SPECIALS = 5, TOKENIZER_MAX_FILE = 256 << 20 };

typedef struct SpecialToken {
    const char *text;
    int32_t id;
    bool takes_spaces; /* white space before it is a part of it */
} SpecialToken;

typedef struct TokenizerKind {
    const char *name;
    const char *file;   /* what it is called in a Hugging Face folder; NULL when it needs none */
    const char *suffix; /* by which other files are recognised; NULL: by no other */

    /* The encoders (model_type in config.json, ends with NULL) whose ids these are, and the tokenizer_class
     * that says the same of others; NULL: the special tokens that `open` looks for tell. */
    const char *const *model_types;
    const char *tokenizer_class;

    /* Fills in what follows `kind` in the tokenizer and adds every file that it reads to `hash`. */
    bool (*open)(Tokenizer *tokenizer, const char *path, ContentHash *hash, Error *error);
    void (*close)(void *state);

    /* Appends the ids of the text without special tokens; may stop when `limit` of them are there. */
    bool (*encode)(const void *state, const char *text, size_t size, size_t limit, TokenIds *ids,
                   Error *error);
} TokenizerKind;

struct Tokenizer {
    const TokenizerKind *kind;
    void *state;
    int32_t first, last; /* special tokens around every text */
    int64_t vocabulary_size;
    bool keeps_case;
    SpecialToken specials[TOKENIZER_MAX_SPECIALS]; /* fewer end with one without a text */
    char *description;
};

/* The whole file, also added to `hash`; to be freed. */
unsigned char *tokenizer_read_file(const char *path, size_t *size, ContentHash *hash, Error *error);

/* The object in a JSON file, also added to `hash`. A new reference. */
json_t *tokenizer_read_json(const char *path, ContentHash *hash, Error *error);

/* The file `name` in the folder of `path`; to be freed. */
char *tokenizer_sibling(const char *path, const char *name);

extern const TokenizerKind sentencepiece_tokenizer, wordpiece_tokenizer, byte_bpe_tokenizer, bytes_tokenizer;

#endif

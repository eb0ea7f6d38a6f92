/* The bytes of a text as its tokens: byte b is id 4 + b, behind XLM-R's <s> <pad> </s> <unk>. */
#include "text/tokenizer_kind.h"

enum { FIRST_BYTE = 4 };

static bool open_bytes(Tokenizer *tokenizer, const char *path, ContentHash *hash, Error *error) {
    (void)path, (void)hash, (void)error;
    tokenizer->first = 0;
    tokenizer->last = 2;
    tokenizer->vocabulary_size = FIRST_BYTE + 256;
    tokenizer->specials[0] = (SpecialToken){"<s>", 0, false};
    tokenizer->specials[1] = (SpecialToken){"<pad>", 1, false};
    tokenizer->specials[2] = (SpecialToken){"</s>", 2, false};
    tokenizer->specials[3] = (SpecialToken){"<unk>", 3, false};
    return true;
}

static void close_bytes(void *state) {
    (void)state;
}

static bool encode_bytes(const void *state, const char *text, size_t size, size_t limit, TokenIds *ids,
                         Error *error) {
    (void)state, (void)error;
    for (size_t i = 0; i < size && ids->count < limit; i++)
        token_ids_append(ids, FIRST_BYTE + (unsigned char)text[i]);
    return true;
}

const TokenizerKind bytes_tokenizer = {
    .name = "bytes",
    .open = open_bytes,
    .close = close_bytes,
    .encode = encode_bytes,
};

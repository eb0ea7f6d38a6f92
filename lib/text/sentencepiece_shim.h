/* The part of libsentencepiece (C++) that is used, for C. No exception leaves it. */
#ifndef TEXT_SENTENCEPIECE_SHIM_H
#define TEXT_SENTENCEPIECE_SHIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct SentencePieceModel SentencePieceModel;

enum { SENTENCEPIECE_MESSAGE = 256 };

/* NULL with a message when the bytes of the .model file are refused. */
SentencePieceModel *sentencepiece_load(const void *bytes, size_t size, char message[SENTENCEPIECE_MESSAGE]);
void sentencepiece_free(SentencePieceModel *model);

int32_t sentencepiece_count(const SentencePieceModel *model);
bool sentencepiece_is_unknown(const SentencePieceModel *model, int32_t piece);
bool sentencepiece_is_control(const SentencePieceModel *model, int32_t piece);

/* Whether a space (U+2581 in pieces) is nowhere but at the start of a piece, so that no piece reaches over
 * the end of a word. */
bool sentencepiece_keeps_words_apart(const SentencePieceModel *model);

/* Calls `take` with the number of each piece of the text. False with a message on failure. */
bool sentencepiece_encode(const SentencePieceModel *model, const char *text, size_t size,
                          void (*take)(void *context, int32_t piece), void *context,
                          char message[SENTENCEPIECE_MESSAGE]);

#ifdef __cplusplus
}
#endif

#endif

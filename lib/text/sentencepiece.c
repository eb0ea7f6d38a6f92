/* SentencePiece models with the ids of XLM-RoBERTa: <s> 0, <pad> 1, </s> 2, <unk> 3, and piece n of the
 * model, whose own <unk>, <s>, </s> are 0, 1, 2, is id n + 1; <mask> comes last. */
#include "core/file_kind.h"
#include "core/memory.h"
#include "text/sentencepiece_check.h"
#include "text/sentencepiece_shim.h"
#include "text/tokenizer_kind.h"
#include "text/tokenizer_settings.h"

#include <string.h>

enum { UNKNOWN = 3, SHIFT = 1 };

/* The library takes some 180 bytes of memory for a byte of text. */
enum { LONG_TEXT = 64 << 10, LONGEST_TEXT = 4 << 20 };

typedef struct SentencePiece {
    SentencePieceModel *model;
    bool keeps_words_apart;
} SentencePiece;

static bool check_pieces(const SentencePieceModel *model, const char *path, Error *error) {
    const int32_t count = sentencepiece_count(model);
    if (count > 2 && sentencepiece_is_unknown(model, 0) && sentencepiece_is_control(model, 1) &&
        sentencepiece_is_control(model, 2))
        return true;
    return error_set(
        error, "%s: its first pieces are not <unk>, <s>, </s>, so XLM-RoBERTa's ids do not fit it", path);
}

static bool open_sentencepiece(Tokenizer *tokenizer, const char *path, ContentHash *hash, Error *error) {
    size_t size;
    char message[SENTENCEPIECE_MESSAGE];
    unsigned char *bytes = tokenizer_read_file(path, &size, hash, error);
    if (!bytes) return false;
    if (!sentencepiece_check(bytes, size, error)) {
        free(bytes);
        error_prefix(error, "%s: not a SentencePiece model: ", path);
        return file_kind_explain(path, error);
    }
    SentencePieceModel *model = sentencepiece_load(bytes, size, message);
    free(bytes);
    if (!model) return error_set(error, "%s: not a SentencePiece model: %s", path, message);
    SentencePiece *state = tokenizer->state = memory_need(1, sizeof *state);
    *state = (SentencePiece){model, sentencepiece_keeps_words_apart(model)};
    if (!check_pieces(model, path, error)) return false;
    TokenizerSettings settings;
    const bool set = tokenizer_settings_read(&settings, path, hash, error) &&
                     tokenizer_setting_keeps_case(&settings, &tokenizer->keeps_case, error);
    tokenizer_settings_free(&settings);
    if (!set) return false;
    const int32_t mask = sentencepiece_count(model) + SHIFT;
    tokenizer->first = 0;
    tokenizer->last = 2;
    tokenizer->vocabulary_size = mask + 1;
    tokenizer->specials[0] = (SpecialToken){"<s>", 0, false};
    tokenizer->specials[1] = (SpecialToken){"<pad>", 1, false};
    tokenizer->specials[2] = (SpecialToken){"</s>", 2, false};
    tokenizer->specials[3] = (SpecialToken){"<unk>", UNKNOWN, false};
    tokenizer->specials[4] = (SpecialToken){"<mask>", mask, true};
    return true;
}

static void close_sentencepiece(void *state) {
    sentencepiece_free(((SentencePiece *)state)->model);
    free(state);
}

typedef struct Taker {
    TokenIds *ids;
    size_t limit;
} Taker;

static void take_piece(void *context, int32_t piece) {
    const Taker *taker = context;
    if (taker->ids->count < taker->limit) token_ids_append(taker->ids, piece == 0 ? UNKNOWN : piece + SHIFT);
}

static bool encode_part(const SentencePiece *state, const char *text, size_t size, size_t limit,
                        TokenIds *ids, Error *error) {
    char message[SENTENCEPIECE_MESSAGE];
    Taker taker = {ids, limit};
    if (size > LONGEST_TEXT)
        return error_set(error,
                         "the text is too long: SentencePiece would have to take %zu MiB of it at once",
                         size >> 20);
    return sentencepiece_encode(state->model, text, size, take_piece, &taker, message) ||
           error_set(error, "SentencePiece fails: %s", message);
}

/* The size of the start of a long text, about as long as wanted, whose pieces are those of the text. */
static size_t part_of(const SentencePiece *state, const char *text, size_t size, size_t wanted) {
    if (wanted >= size || !state->keeps_words_apart) return size;
    const char *space = memrchr(text, ' ', wanted);
    if (!space) space = memchr(text + wanted, ' ', size - wanted);
    return space ? (size_t)(space - text) : size;
}

/* The best path depends on the whole text, but where pieces end with words, its start does not depend on the
 * words that follow: of a long text a part will do that has `limit` pieces. */
static bool encode_sentencepiece(const void *model, const char *text, size_t size, size_t limit,
                                 TokenIds *ids, Error *error) {
    const SentencePiece *state = model;
    const size_t before = ids->count;
    for (size_t wanted = LONG_TEXT;; wanted *= 4) {
        const size_t part = part_of(state, text, size, wanted);
        ids->count = before;
        if (!encode_part(state, text, part, limit, ids, error)) return false;
        if (part == size || ids->count >= limit) return true;
    }
}

/* Others, as CamemBERT, shift the same kind of file by another number. */
static const char *const model_types[] = {"xlm-roberta", "xlm-roberta-xl", NULL};

const TokenizerKind sentencepiece_tokenizer = {
    .name = "sentencepiece",
    .model_types = model_types,
    .tokenizer_class = "XLMRobertaTokenizer",
    .file = "sentencepiece.bpe.model",
    .suffix = ".model",
    .open = open_sentencepiece,
    .close = close_sentencepiece,
    .encode = encode_sentencepiece,
};

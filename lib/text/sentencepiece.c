/* SentencePiece models with the ids of XLM-RoBERTa: <s> 0, <pad> 1, </s> 2, <unk> 3, and piece n of the
 * model, whose own <unk>, <s>, </s> are 0, 1, 2, is id n + 1; <mask> comes last. */
#include "core/memory.h"
#include "text/sentencepiece_check.h"
#include "text/sentencepiece_shim.h"
#include "text/tokenizer_kind.h"

enum { UNKNOWN = 3, SHIFT = 1 };

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
        return error_prefix(error, "%s: not a SentencePiece model: ", path);
    }
    SentencePieceModel *model = sentencepiece_load(bytes, size, message);
    free(bytes);
    if (!model) return error_set(error, "%s: not a SentencePiece model: %s", path, message);
    tokenizer->state = model;
    if (!check_pieces(model, path, error)) return false;
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
    sentencepiece_free(state);
}

typedef struct Taker {
    TokenIds *ids;
    size_t limit;
} Taker;

static void take_piece(void *context, int32_t piece) {
    const Taker *taker = context;
    if (taker->ids->count < taker->limit) token_ids_append(taker->ids, piece == 0 ? UNKNOWN : piece + SHIFT);
}

static bool encode_sentencepiece(const void *state, const char *text, size_t size, size_t limit,
                                 TokenIds *ids, Error *error) {
    char message[SENTENCEPIECE_MESSAGE];
    Taker taker = {ids, limit}; /* the best path depends on the whole text all the same */
    return sentencepiece_encode(state, text, size, take_piece, &taker, message) ||
           error_set(error, "SentencePiece fails: %s", message);
}

/* Others, as CamemBERT, shift the same kind of file by another number. */
static const char *const model_types[] = {"xlm-roberta", "xlm-roberta-xl", NULL};

const TokenizerKind sentencepiece_tokenizer = {
    .name = "sentencepiece",
    .model_types = model_types,
    .file = "sentencepiece.bpe.model",
    .suffix = ".model",
    .open = open_sentencepiece,
    .close = close_sentencepiece,
    .encode = encode_sentencepiece,
};

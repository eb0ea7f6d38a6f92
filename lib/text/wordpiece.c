/* BERT's WordPiece: vocab.txt, and tokenizer_config.json beside it if there is one (Devlin et al. 2018; the
 * reference is BasicTokenizer and WordpieceTokenizer of the released code). */
#include "core/memory.h"
#include "core/name_table.h"
#include "text/lowercase.h"
#include "text/tokenizer_kind.h"
#include "text/tokenizer_settings.h"

#include <string.h>
#include <unictype.h>
#include <uninorm.h>
#include <unistr.h>

enum { MAX_WORD = 100 }; /* characters; a longer word is unknown */

typedef struct WordPiece {
    NameTable *pieces;
    int32_t *ids; /* of each name in `pieces` */
    int32_t unknown;
    bool lower_case, strip_accents, split_chinese;
} WordPiece;

/* Text that grows. */
typedef struct Buffer {
    uint8_t *bytes;
    size_t size, capacity;
} Buffer;

static void buffer_append(Buffer *buffer, const void *bytes, size_t size) {
    buffer->bytes = memory_grow(buffer->bytes, &buffer->capacity, buffer->size + size, 1);
    memcpy(buffer->bytes + buffer->size, bytes, size);
    buffer->size += size;
}

static bool is_chinese(ucs4_t c) {
    return (c >= 0x4e00 && c <= 0x9fff) || (c >= 0x3400 && c <= 0x4dbf) || (c >= 0x20000 && c <= 0x2a6df) ||
           (c >= 0x2a700 && c <= 0x2ceaf) || (c >= 0xf900 && c <= 0xfaff) || (c >= 0x2f800 && c <= 0x2fa1f);
}

static bool is_punctuation(ucs4_t c) {
    if (c < 0x80)
        return (c >= 33 && c <= 47) || (c >= 58 && c <= 64) || (c >= 91 && c <= 96) || (c >= 123 && c <= 126);
    return uc_is_general_category_withtable(c, UC_CATEGORY_MASK_P);
}

/* Control, format and private characters. An unassigned one stays, as in Hugging Face's fast tokenizer, so
 * that the ids do not depend on the version of Unicode. */
static bool is_removed(ucs4_t c) {
    if (c == '\t' || c == '\n' || c == '\r') return false;
    return c == 0xfffd || uc_is_general_category_withtable(c, UC_CATEGORY_MASK_Cc | UC_CATEGORY_MASK_Cf |
                                                                  UC_CATEGORY_MASK_Co);
}

/* Appends the ids of a word: from its start always the longest piece that is in the vocabulary, those behind
 * the first written with ##; one unknown id when that fails. */
static void encode_word(const WordPiece *model, const uint8_t *word, size_t size, TokenIds *ids) {
    char piece[2 + 4 * MAX_WORD] = "##";
    const size_t before = ids->count;
    bool known = u8_mbsnlen(word, size) <= MAX_WORD;
    for (size_t at = 0; known && at < size;) {
        size_t length = size - at, found = SIZE_MAX;
        const size_t prefix = at ? 2 : 0;
        memcpy(piece + 2, word + at, length);
        while (length &&
               (found = name_table_find(model->pieces, piece + 2 - prefix, length + prefix)) == SIZE_MAX)
            length--;
        known = length;
        if (known) token_ids_append(ids, model->ids[found]);
        at += length;
    }
    if (known) return;
    ids->count = before;
    token_ids_append(ids, model->unknown);
}

/* Splits what stands between white space at punctuation, each of which is a word. */
static void encode_words(const WordPiece *model, const uint8_t *text, size_t size, size_t limit,
                         TokenIds *ids) {
    const uint8_t *word = text, *const end = text + size;
    for (const uint8_t *at = text; at < end && ids->count < limit;) {
        ucs4_t character;
        const uint8_t *next = at + u8_mbtouc_unsafe(&character, at, (size_t)(end - at));
        if (is_punctuation(character)) {
            if (word < at) encode_word(model, word, (size_t)(at - word), ids);
            encode_word(model, at, (size_t)(next - at), ids);
            word = next;
        }
        at = next;
    }
    if (word < end && ids->count < limit) encode_word(model, word, (size_t)(end - word), ids);
}

/* Canonical decomposition without non-spacing marks; to be freed. */
static uint8_t *strip_accents(const uint8_t *text, size_t size, size_t *stripped_size) {
    size_t decomposed, used = 0;
    uint8_t *bytes = u8_normalize(UNINORM_NFD, text, size, NULL, &decomposed);
    if (!bytes) memory_end(1, size);
    for (size_t at = 0; at < decomposed;) {
        ucs4_t character;
        const size_t length = (size_t)u8_mbtouc_unsafe(&character, bytes + at, decomposed - at);
        if (!uc_is_general_category_withtable(character, UC_CATEGORY_MASK_Mn)) {
            memmove(bytes + used, bytes + at, length);
            used += length;
        }
        at += length;
    }
    *stripped_size = used;
    return bytes;
}

static void encode_run(const WordPiece *model, Buffer *run, size_t limit, TokenIds *ids) {
    uint8_t *lower = NULL, *stripped = NULL;
    const uint8_t *text = run->bytes;
    size_t size = run->size;
    if (!size) return;
    if (model->lower_case) text = lower = (uint8_t *)lowercase((const char *)text, size, &size);
    if (model->strip_accents) text = stripped = strip_accents(text, size, &size);
    encode_words(model, text, size, limit, ids);
    free(lower);
    free(stripped);
    run->size = 0;
}

static bool encode_wordpiece(const void *state, const char *text, size_t size, size_t limit, TokenIds *ids,
                             Error *error) {
    (void)error;
    const WordPiece *model = state;
    Buffer run = {0}; /* what stands between white space */
    for (size_t at = 0; at < size && ids->count < limit;) {
        const uint8_t *bytes = (const uint8_t *)text + at;
        ucs4_t character;
        const size_t length = (size_t)u8_mbtouc_unsafe(&character, bytes, size - at);
        const bool alone = model->split_chinese && is_chinese(character);
        at += length;
        if (is_removed(character)) continue;
        if (alone || uc_is_property_white_space(character)) encode_run(model, &run, limit, ids);
        if (!uc_is_property_white_space(character)) buffer_append(&run, bytes, length);
        if (alone) encode_run(model, &run, limit, ids);
    }
    if (ids->count < limit) encode_run(model, &run, limit, ids);
    free(run.bytes);
    return true;
}

/* One piece a line, its number the line's; where a piece stands twice the later line counts. */
static int64_t read_vocabulary(WordPiece *model, const char *bytes, size_t size) {
    size_t capacity = 0;
    int32_t line = 0;
    for (size_t at = 0; at < size; line++) {
        const char *end = memchr(bytes + at, '\n', size - at);
        const size_t length = end ? (size_t)(end - bytes) - at : size - at;
        const size_t piece = length && bytes[at + length - 1] == '\r' ? length - 1 : length;
        const size_t number = name_table_add(model->pieces, bytes + at, piece, NULL);
        model->ids = memory_grow(model->ids, &capacity, number + 1, sizeof *model->ids);
        model->ids[number] = line;
        at += length + 1;
    }
    return line;
}

/* The last of the special tokens may be missing. */
enum { MASK = 4 };

static bool find_specials(Tokenizer *tokenizer, WordPiece *model, const char *path, Error *error) {
    static const char *const names[] = {"[CLS]", "[SEP]", "[UNK]", "[PAD]", "[MASK]"};
    for (int i = 0; i <= MASK; i++) {
        const size_t number = name_table_find(model->pieces, names[i], strlen(names[i]));
        if (number == SIZE_MAX && i == MASK) break;
        if (number == SIZE_MAX)
            return error_set(error, "%s: not the vocabulary of a BERT: no line %s", path, names[i]);
        tokenizer->specials[i] = (SpecialToken){names[i], model->ids[number], false};
    }
    tokenizer->first = tokenizer->specials[0].id;
    tokenizer->last = tokenizer->specials[1].id;
    model->unknown = tokenizer->specials[2].id;
    return true;
}

static bool read_settings(Tokenizer *tokenizer, WordPiece *model, const char *path, ContentHash *hash,
                          Error *error) {
    TokenizerSettings settings;
    const bool fine =
        tokenizer_settings_read(&settings, path, hash, error) &&
        tokenizer_settings_complete(&settings, hash, error) &&
        tokenizer_setting_keeps_case(&settings, &tokenizer->keeps_case, error) &&
        tokenizer_setting(&settings, "do_lower_case", true, &model->lower_case, error) &&
        tokenizer_setting(&settings, "strip_accents", model->lower_case, &model->strip_accents, error) &&
        tokenizer_setting(&settings, "tokenize_chinese_chars", true, &model->split_chinese, error);
    tokenizer_settings_free(&settings);
    return fine;
}

static bool open_wordpiece(Tokenizer *tokenizer, const char *path, ContentHash *hash, Error *error) {
    size_t size;
    char *bytes = (char *)tokenizer_read_file(path, &size, hash, error);
    if (!bytes) return false;
    WordPiece *model = tokenizer->state = memory_need(1, sizeof *model);
    model->pieces = name_table_create();
    tokenizer->vocabulary_size = read_vocabulary(model, bytes, size);
    free(bytes);
    return find_specials(tokenizer, model, path, error) && read_settings(tokenizer, model, path, hash, error);
}

static void close_wordpiece(void *state) {
    WordPiece *model = state;
    name_table_destroy(model->pieces);
    free(model->ids);
    free(model);
}

const TokenizerKind wordpiece_tokenizer = {
    .name = "wordpiece",
    .file = "vocab.txt",
    .suffix = ".txt",
    .open = open_wordpiece,
    .close = close_wordpiece,
    .encode = encode_wordpiece,
};

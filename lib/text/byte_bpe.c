/* RoBERTa's byte-level BPE: vocab.json and merges.txt (Radford et al. 2019). */
#include "core/memory.h"
#include "core/name_table.h"
#include "text/bpe_merge.h"
#include "text/tokenizer_kind.h"
#include "text/tokenizer_settings.h"

#include <string.h>
#include <unictype.h>
#include <unistr.h>

typedef struct ByteBpe {
    BpeMerges *merges;
    int32_t byte_ids[256];
    bool add_prefix_space;
} ByteBpe;

typedef enum CharacterClass { LETTER, NUMBER, SPACE, OTHER } CharacterClass;

static CharacterClass classify(const uint8_t *at, const uint8_t *end, size_t *length) {
    ucs4_t character;
    *length = (size_t)u8_mbtouc_unsafe(&character, at, (size_t)(end - at));
    if (uc_is_property_white_space(character)) return SPACE;
    if (uc_is_general_category_withtable(character, UC_CATEGORY_MASK_L)) return LETTER;
    return uc_is_general_category_withtable(character, UC_CATEGORY_MASK_N) ? NUMBER : OTHER;
}

/* The end of the characters of one class that begin at `at`; *last is the start of the last of them. */
static const uint8_t *class_end(CharacterClass class, const uint8_t *at, const uint8_t *end,
                                const uint8_t **last) {
    size_t length;
    while (at < end && classify(at, end, &length) == class) {
        *last = at;
        at += length;
    }
    return at;
}

static size_t contraction(const uint8_t *at, size_t size) {
    static const char *const endings[] = {"'s", "'t", "'re", "'ve", "'m", "'ll", "'d"};
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
        const size_t length = strlen(endings[i]);
        if (size >= length && !memcmp(at, endings[i], length)) return length;
    }
    return 0;
}

/* The end of the word at the start, as GPT-2's expression has it:
 * 's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+ */
static const uint8_t *word_end(const uint8_t *start, const uint8_t *end) {
    const size_t ending = contraction(start, (size_t)(end - start));
    if (ending) return start + ending;
    const uint8_t *first = start + (*start == ' '), *last = start;
    size_t length;
    if (first < end) {
        const CharacterClass class = classify(first, end, &length);
        if (class != SPACE) return class_end(class, first, end, &last);
    }
    const uint8_t *space_end = class_end(SPACE, start, end, &last);
    return space_end < end && last > start ? last : space_end;
}

/* Merging takes some 50 bytes of memory for a byte of a word, and which pieces begin it depends on all of it.
 */
enum { LONGEST_WORD = 1 << 20 };

static bool encode_words(const ByteBpe *model, const uint8_t *at, const uint8_t *end, size_t limit,
                         TokenIds *ids, Error *error) {
    TokenIds word = {0};
    bool fine = true;
    while (at < end && ids->count < limit) {
        const uint8_t *next = word_end(at, end);
        fine = next - at <= LONGEST_WORD ||
               error_set(error, "a word of %td MiB in its text; byte-level BPE takes one of %d MiB at most",
                         (next - at) >> 20, LONGEST_WORD >> 20);
        if (!fine) break;
        for (word.count = 0; at < next; at++)
            token_ids_append(&word, model->byte_ids[*at]);
        bpe_merge(model->merges, &word);
        for (size_t i = 0; i < word.count && ids->count < limit; i++)
            token_ids_append(ids, word.ids[i]);
    }
    free(word.ids);
    return fine;
}

static bool encode_byte_bpe(const void *state, const char *text, size_t size, size_t limit, TokenIds *ids,
                            Error *error) {
    const ByteBpe *model = state;
    bool fine;
    if (model->add_prefix_space && size && *text != ' ') {
        uint8_t *prefixed = memory_need(size + 1, 1);
        *prefixed = ' ';
        memcpy(prefixed + 1, text, size);
        fine = encode_words(model, prefixed, prefixed + size + 1, limit, ids, error);
        free(prefixed);
    } else {
        fine = encode_words(model, (const uint8_t *)text, (const uint8_t *)text + size, limit, ids, error);
    }
    return fine;
}

/* GPT-2 writes each byte as a character: itself where it is visible in Latin-1, else U+0100 and on. */
static void byte_character(int byte, int *others, char text[8]) {
    const bool visible = (byte >= '!' && byte <= '~') || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
    const ucs4_t character = visible ? (ucs4_t)byte : (ucs4_t)(256 + (*others)++);
    text[u8_uctomb((uint8_t *)text, character, 8)] = 0;
}

static bool find_bytes(ByteBpe *model, const json_t *vocabulary, const char *path, Error *error) {
    int others = 0;
    for (int byte = 0; byte < 256; byte++) {
        char text[8];
        byte_character(byte, &others, text);
        const json_t *id = json_object_get(vocabulary, text);
        if (!id) return error_set(error, "%s: no byte-level vocabulary: byte 0x%02x is missing", path, byte);
        model->byte_ids[byte] = (int32_t)json_integer_value(id);
    }
    return true;
}

/* The last of the special tokens may be missing. */
enum { MASK = 4 };

static bool find_specials(Tokenizer *tokenizer, const json_t *vocabulary, const char *path, Error *error) {
    static const char *const names[] = {"<s>", "</s>", "<unk>", "<pad>", "<mask>"};
    for (int i = 0; i <= MASK; i++) {
        const json_t *id = json_object_get(vocabulary, names[i]);
        if (!id && i == MASK) break;
        if (!id) return error_set(error, "%s: not the vocabulary of a RoBERTa: no %s", path, names[i]);
        tokenizer->specials[i] = (SpecialToken){names[i], (int32_t)json_integer_value(id), i == MASK};
    }
    tokenizer->first = tokenizer->specials[0].id;
    tokenizer->last = tokenizer->specials[1].id;
    return true;
}

static bool check_ids(Tokenizer *tokenizer, json_t *vocabulary, const char *path, Error *error) {
    const char *key;
    const json_t *id;
    json_object_foreach(vocabulary, key, id) {
        const json_int_t value = json_is_integer(id) ? json_integer_value(id) : -1;
        if (value < 0 || value >= INT32_MAX)
            return error_set(error, "%s: the id of %s is not a number from 0 to %d", path, key,
                             INT32_MAX - 1);
        if (value >= tokenizer->vocabulary_size) tokenizer->vocabulary_size = value + 1;
    }
    return true;
}

static bool read_vocabulary(Tokenizer *tokenizer, const char *path, json_t *vocabulary, ContentHash *hash,
                            Error *error) {
    ByteBpe *model = tokenizer->state;
    if (!check_ids(tokenizer, vocabulary, path, error) ||
        !find_specials(tokenizer, vocabulary, path, error) || !find_bytes(model, vocabulary, path, error))
        return false;
    char *merges = tokenizer_sibling(path, "merges.txt");
    model->merges = bpe_merges_read(merges, vocabulary, hash, error);
    free(merges);
    return model->merges;
}

static bool read_settings(Tokenizer *tokenizer, ByteBpe *model, const char *path, ContentHash *hash,
                          Error *error) {
    TokenizerSettings settings;
    const bool fine =
        tokenizer_settings_read(&settings, path, hash, error) &&
        tokenizer_setting_keeps_case(&settings, &tokenizer->keeps_case, error) &&
        tokenizer_setting(&settings, "add_prefix_space", false, &model->add_prefix_space, error);
    tokenizer_settings_free(&settings);
    return fine;
}

static bool open_byte_bpe(Tokenizer *tokenizer, const char *path, ContentHash *hash, Error *error) {
    json_t *vocabulary = tokenizer_read_json(path, hash, error);
    if (!vocabulary) return false;
    ByteBpe *model = tokenizer->state = memory_need(1, sizeof *model);
    const bool fine = read_vocabulary(tokenizer, path, vocabulary, hash, error);
    json_decref(vocabulary);
    return fine && read_settings(tokenizer, model, path, hash, error);
}

static void close_byte_bpe(void *state) {
    ByteBpe *model = state;
    bpe_merges_free(model->merges);
    free(model);
}

const TokenizerKind byte_bpe_tokenizer = {
    .name = "byte-bpe",
    .file = "vocab.json",
    .suffix = ".json",
    .open = open_byte_bpe,
    .close = close_byte_bpe,
    .encode = encode_byte_bpe,
};

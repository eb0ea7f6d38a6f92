/* Expected values: Python 3.11 str.lower and SentencePiece 0.1.97 (tests/golden/tokens/README.md). */
#include "check.h"

#include "core/file.h"
#include "core/memory.h"
#include "core/utf8.h"
#include "data/catalogue.h"
#include "huggingface/tokenizer_folder.h"
#include "text/lowercase.h"
#include "text/tokenizer.h"

#include <unistr.h>

static const char *golden(const char *name) {
    static char path[4096];
    const char *project = getenv("PROJECT");
    snprintf(path, sizeof path, "%s/tests/golden/tokens/%s", project ? project : ".", name);
    return path;
}

/* The objects of a .jsonl file. */
static json_t *read_lines(const char *name) {
    Error error;
    Line line;
    json_t *objects = json_array();
    LineReader *reader = line_reader_open(golden(name), &error);
    CHECK(reader, "%s", error.message);
    while (reader && line_reader_next(reader, &line, &error) > 0)
        json_array_append_new(objects, json_loadb(line.bytes, line.size, 0, NULL));
    line_reader_close(reader);
    CHECK(json_array_size(objects) > 0, "%s", name);
    return objects;
}

static bool lowers_to(const char *text, size_t size, const char *want, size_t want_size) {
    size_t got_size;
    char *got = lowercase(text, size, &got_size);
    const bool same = got_size == want_size && !memcmp(got, want, want_size);
    free(got);
    return same;
}

static void lowercase_is_that_of_python(void) {
    json_t *pairs = read_lines("lower.jsonl"), *pair;
    size_t i;
    json_array_foreach(pairs, i, pair) {
        const json_t *text = json_object_get(pair, "text"), *lower = json_object_get(pair, "lower");
        CHECK(lowers_to(json_string_value(text), json_string_length(text), json_string_value(lower),
                        json_string_length(lower)),
              "%s", json_string_value(text));
    }
    json_decref(pairs);
}

static size_t put(char *out, ucs4_t character) {
    return (size_t)u8_uctomb((uint8_t *)out, character, 6);
}

/* lower-table.tsv lists every code point that changes; all others stay as they are. */
static void lowercase_of_every_code_point(void) {
    static char changed[0x110000][8];
    char *rest, *line;
    Error error;
    size_t size;
    char *table = (char *)file_read(golden("lower-table.tsv"), 1 << 20, &size, &error);
    CHECK(table, "%s", error.message);
    for (rest = table; rest && (line = strsep(&rest, "\n"));) {
        unsigned from, first, second = 0;
        const int got = sscanf(line, "%x\t%x %x", &from, &first, &second);
        if (got < 2) continue;
        const size_t length = put(changed[from], first);
        if (got == 3) put(changed[from] + length, second);
    }
    int wrong = 0;
    for (ucs4_t c = 1; c < 0x110000; c++) {
        char text[8] = {0};
        if (c >= 0xd800 && c < 0xe000) continue;
        const size_t length = put(text, c);
        const char *want = changed[c][0] ? changed[c] : text;
        wrong += !lowers_to(text, length, want, strlen(want));
    }
    CHECK(wrong == 0, "%d code points", wrong);
    CHECK(changed['A'][0] == 'a' && changed[0x130][0] == 'i', "the table was not read");
    free(table);
}

/* Σ after "A" and a character, and before it and "B": sigma-context.tsv says how the character counts. */
static void final_sigma_looks_over_ignorable_characters(void) {
    Error error;
    size_t size;
    char *table = (char *)file_read(golden("sigma-context.tsv"), 1 << 20, &size, &error), *line;
    static char class[0x110000];
    CHECK(table, "%s", error.message);
    for (char *rest = table; rest && (line = strsep(&rest, "\n"));) {
        unsigned first, last;
        char name[16];
        if (sscanf(line, "%x\t%x\t%15s", &first, &last, name) != 3) continue;
        memset(class + first, name[0], last - first + 1); /* c or i */
    }
    int wrong = 0;
    for (ucs4_t c = 0x80; c < 0x110000; c++) {
        char text[16] = "A\xce\xa3";
        if (c >= 0xd800 && c < 0xe000) continue;
        size_t length = 3 + put(text + 3, c), lower_size;
        text[length++] = 'B';
        char *lower = lowercase(text, length, &lower_size);
        wrong += (lower[2] == '\x82') != (class[c] == 0); /* ς is cf 82, σ is cf 83 */
        free(lower);
    }
    CHECK(wrong == 0, "%d code points", wrong);
    CHECK(class[0xad] == 'i' && class['A'] == 'c', "the table was not read");
    free(table);
}

static void check_ids(const char *what, const json_t *want, const TokenIds *got) {
    bool same = json_array_size(want) == got->count;
    for (size_t i = 0; same && i < got->count; i++)
        same = json_integer_value(json_array_get(want, i)) == got->ids[i];
    CHECK(same, "%s", what);
}

static void encode(const Tokenizer *tokenizer, const char *text, size_t size, size_t max_tokens, bool parse,
                   const json_t *want, const char *what) {
    TokenIds ids = {0};
    Error error;
    bool cut;
    CHECK(tokenizer_encode(tokenizer, text, size, max_tokens, parse, &ids, &cut, &error), "%s",
          error.message);
    check_ids(what, want, &ids);
    free(ids.ids);
}

static void encode_lowered(const Tokenizer *tokenizer, const char *text, size_t size, size_t max_tokens,
                           bool parse, const json_t *want, const char *what) {
    size_t lower_size;
    char *lower = lowercase(text, size, &lower_size);
    encode(tokenizer, lower, lower_size, max_tokens, parse, want, what);
    free(lower);
}

static void check_model(const char *model, const char *expected) {
    Error error;
    Line line;
    CatalogueLine item;
    size_t i = 0;
    json_t *objects = read_lines(expected);
    Tokenizer *tokenizer = tokenizer_open_file(golden(model), &error);
    CHECK(tokenizer, "%s", error.message);
    LineReader *reader = line_reader_open(golden("texts.tsv"), &error);
    while (tokenizer && line_reader_next(reader, &line, &error) > 0) {
        const json_t *want = json_array_get(objects, i++), *parsed = json_object_get(want, "parsed50");
        CHECK(catalogue_parse_line(reader, &line, &item, &error), "%s", error.message);
        CHECK(!strncmp(item.name, json_string_value(json_object_get(want, "id")), item.name_size), "%s",
              item.name);
        encode_lowered(tokenizer, item.text, item.text_size, 50, false, json_object_get(want, "ids50"),
                       line.bytes);
        encode_lowered(tokenizer, item.text, item.text_size, 16, false, json_object_get(want, "ids16"),
                       line.bytes);
        if (parsed) encode_lowered(tokenizer, item.text, item.text_size, 50, true, parsed, line.bytes);
    }
    CHECK(i == 155 && i == json_array_size(objects), "%zu texts", i);
    line_reader_close(reader);
    tokenizer_close(tokenizer);
    json_decref(objects);
}

static void sentencepiece_nmt_nfkc(void) {
    check_model("items2k.model", "expected-items2k.jsonl");
}

static void sentencepiece_nfkc_english(void) {
    check_model("test_model.model", "expected-test_model.jsonl");
}

static void sentencepiece_nfkc_japanese(void) {
    check_model("test_ja_model.model", "expected-test_ja_model.jsonl");
}

static void check_invalid(const Tokenizer *tokenizer, const char *model) {
    Error error;
    Line line;
    CatalogueLine item;
    json_t *objects = read_lines("expected-invalid.jsonl");
    LineReader *reader = line_reader_open(golden("texts-invalid.tsv"), &error);
    for (size_t i = 0; i < json_array_size(objects); i++) {
        const json_t *want = json_array_get(objects, i), *replaced = json_object_get(want, "replaced");
        char place[64];
        size_t size;
        CHECK(line_reader_next(reader, &line, &error) == 1, "line %zu", i + 1);
        const json_int_t byte = json_integer_value(json_object_get(want, "first_bad_byte_in_line"));
        const bool refused = !catalogue_parse_line(reader, &line, &item, &error);
        snprintf(place, sizeof place, "%s:%zu:%d: ", "texts-invalid.tsv", i + 1, (int)byte);
        CHECK(refused == (byte > 0) && (!refused || strstr(error.message, place)), "%s", error.message);
        char *text = utf8_replace_ill_formed(item.text, item.text_size, &size);
        CHECK(size == json_string_length(replaced) && !memcmp(text, json_string_value(replaced), size), "%s",
              text);
        encode_lowered(tokenizer, text, size, 50, false, json_object_get(want, model), line.bytes);
        free(text);
    }
    CHECK(line_reader_next(reader, &line, &error) == 0, "more lines than objects");
    line_reader_close(reader);
    json_decref(objects);
}

static void ill_formed_utf8_is_found_and_replaced(void) {
    static const char *const models[] = {"test_model", "items2k"};
    for (int i = 0; i < 2; i++) {
        char file[32];
        Error error;
        snprintf(file, sizeof file, "%s.model", models[i]);
        Tokenizer *tokenizer = tokenizer_open_file(golden(file), &error);
        CHECK(tokenizer, "%s", error.message);
        if (tokenizer) check_invalid(tokenizer, models[i]);
        tokenizer_close(tokenizer);
    }
}

/* A text of words, `count` times over. */
static char *repeat(const char *words, size_t count, size_t *size) {
    const size_t length = strlen(words);
    char *text = memory_need(count * length + 1, 1);
    for (size_t i = 0; i < count; i++)
        memcpy(text + i * length, words, length);
    *size = count * length;
    return text;
}

static void of_long_texts_the_start_will_do(void) {
    static const char *const words[] = {"toy 000 story ", "\xe2\x98\x83 \xe2\x98\x83\xe2\x98\x83 a ",
                                        "mystery  "};
    Error error;
    Tokenizer *tokenizer = tokenizer_open_file(golden("items2k.model"), &error);
    CHECK(tokenizer, "%s", error.message);
    for (int i = 0; i < 3 && tokenizer; i++) {
        TokenIds ids[2] = {{0}, {0}};
        bool cut[2];
        const size_t counts[2] = {2000, 1000000}; /* in one go, and by a part */
        for (int k = 0; k < 2; k++) {
            size_t size;
            char *text = repeat(words[i], counts[k], &size);
            CHECK(tokenizer_encode(tokenizer, text, size, 512, false, &ids[k], &cut[k], &error), "%s",
                  error.message);
            free(text);
        }
        CHECK(cut[0] && cut[1] && ids[0].count == 512 && ids[1].count == 512 &&
                  !memcmp(ids[0].ids, ids[1].ids, 512 * sizeof *ids->ids),
              "%s", words[i]);
        free(ids[0].ids);
        free(ids[1].ids);
    }
    tokenizer_close(tokenizer);
}

static void texts_that_would_take_all_memory_are_refused(void) {
    Error error;
    bool cut;
    size_t size;
    TokenIds ids = {0};
    Tokenizer *tokenizer = tokenizer_open_file(golden("items2k.model"), &error);
    CHECK(tokenizer, "%s", error.message);
    char *text = repeat("x", 5 << 20, &size);
    CHECK(tokenizer && !tokenizer_encode(tokenizer, text, size, 50, false, &ids, &cut, &error),
          "5 MiB in one word");
    CHECK(strstr(error.message, "too long"), "%s", error.message);
    free(text);
    free(ids.ids);
    tokenizer_close(tokenizer);
}

/* Expected ids: Hugging Face's tokenizers 0.23.2, special tokens in the texts parsed. */
static void check_folder(const char *folder, bool keep_case, const char *expected) {
    Error error;
    Line line;
    CatalogueLine item;
    size_t i = 0;
    json_t *objects = read_lines(expected);
    Tokenizer *tokenizer = encoder_tokenizer_open(golden(folder), 50, &error);
    CHECK(tokenizer, "%s", error.message);
    LineReader *reader = line_reader_open(golden("texts.tsv"), &error);
    while (tokenizer && line_reader_next(reader, &line, &error) > 0) {
        const json_t *want = json_object_get(json_array_get(objects, i++), "ids50");
        CHECK(catalogue_parse_line(reader, &line, &item, &error), "%s", error.message);
        if (keep_case)
            encode(tokenizer, item.text, item.text_size, 50, true, want, line.bytes);
        else
            encode_lowered(tokenizer, item.text, item.text_size, 50, true, want, line.bytes);
    }
    CHECK(i == 155, "%zu texts", i);
    line_reader_close(reader);
    tokenizer_close(tokenizer);
    json_decref(objects);
}

static void wordpiece_uncased(void) {
    check_folder("bert-uncased", false, "expected-bert-uncased.jsonl");
}

static void wordpiece_cased(void) {
    check_folder("bert-cased", true, "expected-bert-cased.jsonl");
}

static void byte_level_bpe(void) {
    check_folder("roberta", true, "expected-roberta.jsonl");
    check_folder("roberta-prefix", false, "expected-roberta-prefix.jsonl");
}

static void bytes_are_ids_from_4(void) {
    Error error;
    bool cut;
    TokenIds ids = {0};
    Tokenizer *tokenizer = tokenizer_open_bytes();
    CHECK(tokenizer_vocabulary_size(tokenizer) == 260, "a vocabulary of another size");
    CHECK(tokenizer_encode(tokenizer, "a\xc3\xa9", 3, 5, false, &ids, &cut, &error), "%s", error.message);
    const int32_t want[] = {0, 4 + 'a', 4 + 0xc3, 4 + 0xa9, 2};
    CHECK(!cut && ids.count == 5 && !memcmp(ids.ids, want, sizeof want), "%zu ids", ids.count);
    CHECK(tokenizer_encode(tokenizer, "abcd", 4, 5, false, &ids, &cut, &error), "%s", error.message);
    CHECK(cut && ids.count == 5 && ids.ids[4] == 2, "%zu ids", ids.count);
    CHECK(tokenizer_encode(tokenizer, "", 0, 5, false, &ids, &cut, &error), "%s", error.message);
    CHECK(!cut && ids.count == 2 && ids.ids[0] == 0 && ids.ids[1] == 2, "%zu ids", ids.count);
    free(ids.ids);
    tokenizer_close(tokenizer);
}

RUN_TESTS(TEST(lowercase_is_that_of_python), TEST(lowercase_of_every_code_point),
          TEST(final_sigma_looks_over_ignorable_characters), TEST(sentencepiece_nmt_nfkc),
          TEST(sentencepiece_nfkc_english), TEST(sentencepiece_nfkc_japanese),
          TEST(of_long_texts_the_start_will_do), TEST(texts_that_would_take_all_memory_are_refused),
          TEST(ill_formed_utf8_is_found_and_replaced), TEST(wordpiece_uncased), TEST(wordpiece_cased),
          TEST(byte_level_bpe), TEST(bytes_are_ids_from_4))

/* Damaged, foreign and hostile files of tokenizers end in a message; a sound file in ids. */
#include "check.h"

#include "core/file.h"
#include "core/memory.h"
#include "core/random.h"
#include "huggingface/tokenizer_folder.h"
#include "text/bpe_merge.h"
#include "text/sentencepiece_check.h"
#include "text/tokenizer.h"

#include <sys/stat.h>
#include <unistd.h>

static char folder[] = "/tmp/pm-test-XXXXXX";

/* The path of a file in the test's folder. */
static const char *in_folder(const char *name) {
    static char path[256];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static void write_file(const char *name, const void *bytes, size_t size) {
    FILE *file = fopen(in_folder(name), "wb");
    fwrite(bytes, 1, size, file);
    fclose(file);
}

static void write_text(const char *name, const char *text) {
    write_file(name, text, strlen(text));
}

static unsigned char *read_model(const char *name, size_t *size) {
    char path[4096];
    Error error;
    const char *project = getenv("PROJECT");
    snprintf(path, sizeof path, "%s/tests/golden/tokens/%s", project ? project : ".", name);
    unsigned char *bytes = file_read(path, 1 << 20, size, &error);
    if (!bytes) printf("Bail out! %s\n", error.message), exit(1);
    return bytes;
}

static void check_refused(const char *name, const char *want) {
    Error error = {""};
    Tokenizer *tokenizer = tokenizer_open_file(in_folder(name), &error);
    CHECK(!tokenizer && strstr(error.message, folder) && strstr(error.message, want) &&
              !strchr(error.message, '\n'),
          "%s", error.message);
    tokenizer_close(tokenizer);
}

static void cut_models_are_refused(void) {
    size_t size;
    unsigned char *bytes = read_model("test_model.model", &size);
    const size_t sizes[] = {1, 2, 7, 100, 5000, size / 2, size - 1};
    write_text("empty.model", "");
    check_refused("empty.model", "empty");
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        write_file("cut.model", bytes, sizes[i]);
        check_refused("cut.model", "not a SentencePiece model");
    }
    free(bytes);
    write_text("text.model", "this is no model\n");
    check_refused("text.model", "not a SentencePiece model");
}

/* A damaged model is refused or used; it reads no memory that is not its own. */
static void damaged_models_do_no_harm(void) {
    static const char text[] =
        "toy story e\xcc\x81\xcc\xa3 \xef\xbc\xa6\xef\xbd\xb6\xef\xbe\x9e \xef\xb7\xba";
    size_t size;
    unsigned char *sound = read_model("items2k.model", &size), *bytes = memory_need(size, 1);
    Random random;
    random_seed(&random, 7, 0);
    int refused = 0, used = 0;
    for (int i = 0; i < 120; i++) {
        Error error = {""};
        TokenIds ids = {0};
        bool cut;
        memcpy(bytes, sound, size);
        for (int k = 0; k < (i % 3 ? 1 : 30); k++)
            bytes[random_below(&random, i % 2 ? size : size / 8)] = (unsigned char)random_next(&random);
        write_file("damaged.model", bytes, size);
        Tokenizer *tokenizer = tokenizer_open_file(in_folder("damaged.model"), &error);
        CHECK(tokenizer || *error.message, "refused without a word");
        used += tokenizer != NULL;
        refused += !tokenizer;
        if (tokenizer && tokenizer_encode(tokenizer, text, sizeof text - 1, 50, false, &ids, &cut, &error))
            CHECK(ids.count >= 2 && ids.count <= 50, "%zu ids", ids.count);
        free(ids.ids);
        tokenizer_close(tokenizer);
    }
    CHECK(used > 5 && refused > 5, "%d used, %d refused", used, refused);
    free(sound);
    free(bytes);
}

/* normalizer { precompiled_charsmap: the size of the trie, its units, strings } */
static bool map_is_fine(const uint32_t *units, uint8_t count, const char *strings, uint8_t strings_size,
                        Error *error) {
    uint8_t bytes[256], *at = bytes;
    const uint32_t trie_size = 4u * count;
    const uint8_t map_size = (uint8_t)(4 + trie_size + strings_size);
    *at++ = 3 << 3 | 2;
    *at++ = (uint8_t)(map_size + 2);
    *at++ = 2 << 3 | 2;
    *at++ = map_size;
    memcpy(at, &trie_size, 4);
    memcpy(at + 4, units, trie_size);
    memcpy(at + 4 + trie_size, strings, strings_size);
    return sentencepiece_check(bytes, (size_t)(4 + map_size), error);
}

static void hostile_character_maps_are_refused(void) {
    size_t size;
    Error error = {""};
    unsigned char *bytes = read_model("test_ja_model.model", &size);
    CHECK(sentencepiece_check(bytes, size, &error), "%s", error.message);
    free(bytes);
    /* Children of the root here are units 0 … 255: a trie of 8 units does not hold them. */
    const uint32_t small[8] = {[1] = 0x800000ff, [2] = 0x800000ff, [3] = 0x800000ff, [0] = 0x800000ff,
                               [4] = 0x800000ff, [5] = 0x800000ff, [6] = 0x800000ff, [7] = 0x800000ff};
    CHECK(!map_is_fine(small, 8, "x", 2, &error) && strstr(error.message, "outside"), "%s", error.message);
    /* Unit 0 with label 0 is its own child. */
    const uint32_t endless[8] = {0};
    CHECK(!map_is_fine(endless, 8, "x", 2, &error) && strstr(error.message, "no end"), "%s", error.message);
    CHECK(!map_is_fine(small, 8, "x", 1, &error) && strstr(error.message, "damaged"), "%s", error.message);
    CHECK(!map_is_fine(small, 0, "x", 2, &error) && strstr(error.message, "damaged"), "%s", error.message);
}

static void foreign_vocabularies_are_refused(void) {
    write_text("vocab.txt", "a\nb\n");
    check_refused("vocab.txt", "no line [CLS]");
    write_text("vocab.txt", "[PAD]\n[UNK]\n[CLS]\n[SEP]\na\n");
    write_text("tokenizer_config.json", "{\"do_lower_case\": 3}");
    check_refused("vocab.txt", "/tokenizer_config.json: do_lower_case must be true or false");
    write_text("tokenizer_config.json", "[]");
    check_refused("vocab.txt", "not a JSON object");
    write_text("tokenizer_config.json", "{");
    check_refused("vocab.txt", "tokenizer_config.json:1:");
    unlink(in_folder("tokenizer_config.json"));
    write_text("vocab.json", "{\"<s>\": 0}");
    check_refused("vocab.json", "no </s>");
    write_text("vocab.json", "{\"<s>\": 0, \"</s>\": -5}");
    check_refused("vocab.json", "is not a number from 0");
    write_text("vocab.json", "{\"<s>\": 0, \"</s>\": 1, \"<unk>\": 2, \"<pad>\": 3}");
    check_refused("vocab.json", "byte 0x00 is missing");
    write_text("vocab.json", "[1");
    check_refused("vocab.json", ":1:");
    check_refused("missing.model", "No such file");
}

static void check_folder_refused(const char *config, size_t max_tokens, const char *want) {
    Error error = {""};
    write_text("config.json", config);
    Tokenizer *tokenizer = encoder_tokenizer_open(folder, max_tokens, &error);
    CHECK(!tokenizer && strstr(error.message, folder) && strstr(error.message, want), "%s", error.message);
    tokenizer_close(tokenizer);
}

static void an_encoder_sets_limits(void) {
    size_t size;
    Error error = {""};
    unlink(in_folder("vocab.txt"));
    unlink(in_folder("vocab.json"));
    check_folder_refused("{", 50, "config.json:1:");
    check_folder_refused("{}", 50, "no model_type");
    check_folder_refused("{\"model_type\": \"bert\", \"vocab_size\": 2.5}", 50, "vocab_size is no whole");
    check_folder_refused("{\"model_type\": \"vit\"}", 50, "takes no tokens");
    static const char xlm[] =
        "{\"model_type\": \"xlm-roberta\", \"vocab_size\": 1002, "
        "\"max_position_embeddings\": 32, \"pad_token_id\": 1}";
    check_folder_refused(xlm, 50, "no tokenizer here");
    unsigned char *bytes = read_model("test_model.model", &size);
    write_file("sentencepiece.bpe.model", bytes, size);
    free(bytes);
    check_folder_refused(xlm, 31, "give --max-tokens 30 or less, not 31");
    Tokenizer *tokenizer = encoder_tokenizer_open(folder, 30, &error);
    CHECK(tokenizer, "%s", error.message);
    tokenizer_close(tokenizer);
    check_folder_refused(
        "{\"model_type\": \"xlm-roberta\", \"vocab_size\": 500, \"max_position_embeddings\": 99}", 50,
        "vocab_size is 500");
    check_folder_refused(
        "{\"model_type\": \"camembert\", \"vocab_size\": 5000, \"max_position_embeddings\": 99}", 50,
        "camembert");
}

/* Merges one pair at a time, the earliest of the list and from the left. */
static void merge_slowly(int pairs[][2], int count, TokenIds *word) {
    for (;;) {
        size_t at = 0;
        int best = count;
        for (size_t i = 0; i + 1 < word->count; i++)
            for (int k = 0; k < best; k++)
                if (pairs[k][0] == word->ids[i] && pairs[k][1] == word->ids[i + 1]) best = k, at = i;
        if (best == count) return;
        word->ids[at] = 4 + best;
        memmove(word->ids + at + 1, word->ids + at + 2, (word->count - at - 2) * sizeof *word->ids);
        word->count--;
    }
}

enum { MERGES = 40 };

/* Pieces a … d are ids 0 … 3, and each merge of two random pieces makes the next id. Returns their number. */
static int make_merges(Random *random, int pairs[MERGES][2], json_t *vocabulary) {
    static char names[4 + MERGES][4096], merges[1 << 20];
    int id = 0;
    merges[0] = 0;
    for (; id < 4 + MERGES; id++) {
        if (id < 4) {
            snprintf(names[id], sizeof names[id], "%c", 'a' + id);
        } else {
            const int left = (int)random_below(random, (uint64_t)(id < 12 ? id : 12));
            const int right = (int)random_below(random, (uint64_t)(id < 12 ? id : 12));
            char name[sizeof *names]; /* GCC 12 with sanitizers takes rows of one array for overlapping */
            snprintf(name, sizeof name, "%.2000s%.2000s", names[left], names[right]);
            strcpy(names[id], name);
            if (json_object_get(vocabulary, names[id])) break;
            pairs[id - 4][0] = left;
            pairs[id - 4][1] = right;
            const size_t used = strlen(merges);
            snprintf(merges + used, sizeof merges - used, "%s %s\n", names[left], names[right]);
        }
        json_object_set_new(vocabulary, names[id], json_integer(id));
    }
    write_text("merges.txt", merges);
    return id - 4;
}

static void check_word(const BpeMerges *merges, int pairs[][2], int count, Random *random) {
    TokenIds fast = {0}, slow = {0};
    const size_t length = random_below(random, 40);
    for (size_t k = 0; k < length; k++) {
        const int32_t id = (int32_t)random_below(random, 2 + random_below(random, 3));
        token_ids_append(&fast, id);
        token_ids_append(&slow, id);
    }
    bpe_merge(merges, &fast);
    merge_slowly(pairs, count, &slow);
    CHECK(fast.count == slow.count &&
              (!fast.count || !memcmp(fast.ids, slow.ids, fast.count * sizeof *fast.ids)),
          "a word of %zu", length);
    free(fast.ids);
    free(slow.ids);
}

static void merges_are_in_the_order_of_the_list(void) {
    Random random;
    random_seed(&random, 3, 0);
    for (int round = 0; round < 20; round++) {
        Error error;
        int pairs[MERGES][2];
        json_t *vocabulary = json_object();
        ContentHash *hash = content_hash_create();
        const int count = make_merges(&random, pairs, vocabulary);
        BpeMerges *merges = bpe_merges_read(in_folder("merges.txt"), vocabulary, hash, &error);
        CHECK(merges && count > 0, "%s", error.message);
        for (int i = 0; merges && i < 200; i++)
            check_word(merges, pairs, count, &random);
        bpe_merges_free(merges);
        content_hash_destroy(hash);
        json_decref(vocabulary);
    }
}

int main(void) {
    static const Test tests[] = {
        TEST(cut_models_are_refused),
        TEST(damaged_models_do_no_harm),
        TEST(hostile_character_maps_are_refused),
        TEST(foreign_vocabularies_are_refused),
        TEST(an_encoder_sets_limits),
        TEST(merges_are_in_the_order_of_the_list),
    };
    char command[64];
    if (!mkdtemp(folder)) return 1;
    const int failed = run_tests(tests, sizeof tests / sizeof *tests);
    snprintf(command, sizeof command, "rm -r %s", folder);
    return system(command) || failed;
}

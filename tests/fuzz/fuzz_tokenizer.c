/* Tokenizers' files; the first byte says which kind: SentencePiece, vocab.txt, or vocab.json with a NUL and
 * merges.txt behind it. Texts are tokenized by what opens. */
#include "fuzz.h"

#include "text/tokenizer.h"

#include <stdlib.h>
#include <string.h>

static const char *write_files(const uint8_t *bytes, size_t size) {
    if (bytes[-1] % 3 == 0) return fuzz_file("tokenizer.model", bytes, size);
    if (bytes[-1] % 3 == 1) return fuzz_file("vocab.txt", bytes, size);
    const size_t second = fuzz_second_part(bytes, size);
    fuzz_file("merges.txt", bytes + second, size - second);
    return fuzz_file("vocab.json", bytes, second < size ? second - 1 : size);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    static const char *const texts[] = {"", "The Matrix (1999), part 2",
                                        "ünïcödé 日本語 \xf0\x9f\x98\x80 <s> [CLS]"};
    Error error;
    TokenIds ids = {0};
    bool cut;
    if (!size) return 0;
    Tokenizer *tokenizer = tokenizer_open_file(write_files(bytes + 1, size - 1), &error);
    for (size_t i = 0; tokenizer && i < sizeof texts / sizeof *texts; i++)
        if (!tokenizer_encode(tokenizer, texts[i], strlen(texts[i]), 16, i == 2, &ids, &cut, &error)) break;
    tokenizer_close(tokenizer);
    free(ids.ids);
    return 0;
}

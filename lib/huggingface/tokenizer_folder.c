#include "huggingface/tokenizer_folder.h"

#include "core/json_file.h"
#include "core/log.h"
#include "core/memory.h"
#include "huggingface/hf_config.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { MAX_SETTINGS = 16 << 20 };

static const char *text_of(const json_t *object, const char *key) {
    return json_string_value(json_object_get(object, key));
}

/* Which tokenizer the two files say it is; a disagreement is reported, and tokenizer_config.json counts. */
static char *tokenizer_class(const char *folder, const json_t *raw, Error *error) {
    char *path = memory_format("%s/tokenizer_config.json", folder);
    json_t *settings = access(path, F_OK) ? json_object() : json_file_read(path, MAX_SETTINGS, error);
    const char *own = text_of(settings, "tokenizer_class"), *other = text_of(raw, "tokenizer_class");
    if (own && other && strcmp(own, other))
        log_warning("%s says %s, config.json beside it %s; the first counts", path, own, other);
    const char *found = own ? own : other ? other : "";
    char *name = settings ? memory_copy_text(found, strlen(found)) : NULL;
    json_decref(settings);
    free(path);
    return name;
}

static bool check(const char *folder, const json_t *raw, const json_t *config, const Tokenizer *tokenizer,
                  size_t max_tokens, Error *error) {
    const char *model_type = text_of(raw, "model_type"), *file = tokenizer_file(tokenizer);
    const size_t positions = hf_config_positions(config), vocabulary = hf_config_size(config, "vocab_size");
    char *class = tokenizer_class(folder, raw, error);
    const bool meant = class && tokenizer_is_meant_for(tokenizer, model_type, class);
    const bool known = class;
    free(class);
    if (!known) return false;
    if (!meant)
        return error_set(error, "%s: the ids that a %s encoder gives to the pieces of %s are not known",
                         folder, model_type, file);
    if (max_tokens > positions)
        return error_set(
            error, "%s: the encoder has positions for %zu tokens; give --max-tokens %zu or less, not %zu",
            folder, positions, positions, max_tokens);
    return tokenizer_vocabulary_size(tokenizer) <= (int64_t)vocabulary ||
           error_set(error,
                     "%s: %s has %" PRId64
                     " ids, but the encoder's vocab_size is %zu; they do not belong together",
                     folder, file, tokenizer_vocabulary_size(tokenizer), vocabulary);
}

static Tokenizer *open_checked(const char *folder, const json_t *raw, const json_t *config, size_t max_tokens,
                               Error *error) {
    Tokenizer *tokenizer = tokenizer_open_folder(folder, error);
    if (!tokenizer || check(folder, raw, config, tokenizer, max_tokens, error)) return tokenizer;
    tokenizer_close(tokenizer);
    return NULL;
}

Tokenizer *encoder_tokenizer_open(const char *folder, size_t max_tokens, Error *error) {
    char *path = memory_format("%s/config.json", folder);
    json_t *raw = json_file_read(path, HF_CONFIG_LIMIT, error);
    json_t *config = raw ? hf_config_normalise(raw, error) : NULL;
    if (raw && !config) error_prefix(error, "%s: ", path);
    Tokenizer *tokenizer = NULL;
    if (config && strcmp(hf_config_modality(config), "text"))
        error_set(error, "%s: an image encoder, which takes no tokens", path);
    else if (config)
        tokenizer = open_checked(folder, raw, config, max_tokens, error);
    json_decref(config);
    json_decref(raw);
    free(path);
    return tokenizer;
}

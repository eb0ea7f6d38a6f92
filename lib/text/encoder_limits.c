#include "text/encoder_limits.h"

#include "core/file.h"
#include "core/memory.h"
#include "text/tokenizer_kind.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

enum { MAX_CONFIG = 16 << 20 };

static bool read_number(const json_t *config, const char *key, int64_t standard, int64_t *value,
                        Error *error) {
    const json_t *found = json_object_get(config, key);
    *value = found ? json_integer_value(found) : standard;
    if (!found && standard < 0) return error_set(error, "no %s", key);
    return !found || (json_is_integer(found) && *value >= 0 && *value <= INT32_MAX) ||
           error_set(error, "%s must be a whole number from 0 to %d", key, INT32_MAX);
}

/* RoBERTa and its kin number the positions of a text from pad_token_id + 1. */
static bool counts_from_padding(const char *model_type) {
    return strstr(model_type, "roberta") || !strcmp(model_type, "camembert");
}

static bool parse(EncoderLimits *limits, const json_t *config, Error *error) {
    int64_t padding;
    const json_t *type = json_object_get(config, "model_type");
    if (!json_is_string(type)) return error_set(error, "no model_type");
    if (!read_number(config, "vocab_size", -1, &limits->vocabulary_size, error) ||
        !read_number(config, "max_position_embeddings", -1, &limits->positions, error) ||
        !read_number(config, "pad_token_id", 1, &padding, error))
        return false;
    limits->model_type = memory_copy_text(json_string_value(type), json_string_length(type));
    if (counts_from_padding(limits->model_type)) limits->positions -= padding + 1;
    return true;
}

bool encoder_limits_read(EncoderLimits *limits, const char *folder, Error *error) {
    char *path;
    size_t size;
    json_error_t problem;
    if (asprintf(&path, "%s/config.json", folder) < 0) abort();
    *limits = (EncoderLimits){0};
    char *bytes = (char *)file_read(path, MAX_CONFIG, &size, error);
    json_t *config = bytes ? json_loadb(bytes, size, 0, &problem) : NULL;
    if (bytes && !config) error_set(error, "%s:%d: %s", path, problem.line, problem.text);
    bool fine = config;
    if (fine && !parse(limits, config, error)) fine = error_prefix(error, "%s: ", path);
    json_decref(config);
    free(bytes);
    free(path);
    return fine;
}

void encoder_limits_free(EncoderLimits *limits) {
    free(limits->model_type);
}

static bool is_meant_for(const TokenizerKind *kind, const char *model_type) {
    for (int i = 0; kind->model_types && kind->model_types[i]; i++)
        if (!strcmp(kind->model_types[i], model_type)) return true;
    return !kind->model_types;
}

bool encoder_limits_check(const EncoderLimits *limits, const char *folder, const Tokenizer *tokenizer,
                          size_t max_tokens, Error *error) {
    if (!is_meant_for(tokenizer->kind, limits->model_type))
        return error_set(error, "%s: the ids that a %s encoder gives to the pieces of %s are not known",
                         folder, limits->model_type, tokenizer->kind->file);
    if ((int64_t)max_tokens > limits->positions)
        return error_set(error,
                         "%s: the encoder has positions for %" PRId64 " tokens; give --max-tokens %" PRId64
                         " or less, not %zu",
                         folder, limits->positions, limits->positions, max_tokens);
    return tokenizer->vocabulary_size <= limits->vocabulary_size ||
           error_set(error,
                     "%s: %s has %" PRId64 " ids, but the encoder's vocab_size is %" PRId64
                     "; they do not belong together",
                     folder, tokenizer->kind->file, tokenizer->vocabulary_size, limits->vocabulary_size);
}

#include "text/tokenizer_settings.h"

#include "core/json_file.h"
#include "core/log.h"
#include "text/tokenizer_kind.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

bool tokenizer_settings_read(TokenizerSettings *settings, const char *path, ContentHash *hash, Error *error) {
    char *own = tokenizer_sibling(path, "tokenizer_config.json");
    *settings =
        (TokenizerSettings){own, access(own, F_OK) ? json_object() : tokenizer_read_json(own, hash, error)};
    return settings->values;
}

void tokenizer_settings_free(TokenizerSettings *settings) {
    json_decref(settings->values);
    free(settings->path);
}

/* The normalizer of this type: tokenizer.json's own, or one of its sequence. */
static const json_t *find_normalizer(const json_t *file, const char *type) {
    const json_t *own = json_object_get(file, "normalizer"), *found = NULL, *each;
    size_t i;
    json_array_foreach(json_object_get(own, "normalizers"), i, each) {
        const char *name = json_string_value(json_object_get(each, "type"));
        if (name && !strcmp(name, type)) found = each;
    }
    const char *name = json_string_value(json_object_get(own, "type"));
    return name && !strcmp(name, type) ? own : found;
}

/* A flag that only tokenizer.json has counts, and then belongs to the hash. */
static void complete_flag(TokenizerSettings *settings, const char *key, const json_t *other, const char *path,
                          ContentHash *hash) {
    const json_t *value = json_object_get(settings->values, key);
    if (!json_is_boolean(other)) return;
    if (!json_is_boolean(value)) {
        char text[80];
        const int size = snprintf(text, sizeof text, "%s %d", key, json_is_true(other));
        content_hash_update(hash, text, (size_t)size);
        json_object_set(settings->values, key, (json_t *)other);
    } else if (json_is_true(value) != json_is_true(other)) {
        log_warning("%s says otherwise than %s, where %s is %s; that one counts", path, settings->path, key,
                    json_is_true(value) ? "true" : "false");
    }
}

bool tokenizer_settings_complete(TokenizerSettings *settings, ContentHash *hash, Error *error) {
    char *file_path = tokenizer_sibling(settings->path, "tokenizer.json");
    bool fine = true;
    if (!access(file_path, F_OK)) {
        json_t *file = json_file_read(file_path, TOKENIZER_MAX_FILE, error);
        const json_t *bert = find_normalizer(file, "BertNormalizer");
        complete_flag(settings, "do_lower_case", json_object_get(bert, "lowercase"), file_path, hash);
        complete_flag(settings, "strip_accents", json_object_get(bert, "strip_accents"), file_path, hash);
        complete_flag(settings, "tokenize_chinese_chars", json_object_get(bert, "handle_chinese_chars"),
                      file_path, hash);
        fine = file;
        json_decref(file);
    }
    free(file_path);
    return fine;
}

bool tokenizer_setting(const TokenizerSettings *settings, const char *key, bool standard, bool *value,
                       Error *error) {
    const json_t *found = json_object_get(settings->values, key);
    *value = !found || json_is_null(found) ? standard : json_is_true(found);
    return !found || json_is_null(found) || json_is_boolean(found) ||
           error_set(error, "%s: %s must be true or false", settings->path, key);
}

bool tokenizer_setting_keeps_case(const TokenizerSettings *settings, bool *keeps_case, Error *error) {
    bool lower_case;
    const bool fine = tokenizer_setting(settings, "do_lower_case", true, &lower_case, error);
    *keeps_case = !lower_case;
    return fine;
}

#include "text/tokenizer_settings.h"

#include "text/tokenizer_kind.h"

#include <stdlib.h>
#include <unistd.h>

json_t *tokenizer_settings_read(const char *path, ContentHash *hash, Error *error) {
    char *config = tokenizer_sibling(path, "tokenizer_config.json");
    json_t *settings = NULL;
    if (access(config, F_OK)) {
        settings = json_object();
    } else {
        size_t size;
        json_error_t problem;
        char *bytes = (char *)tokenizer_read_file(config, &size, hash, error);
        settings = bytes ? json_loadb(bytes, size, 0, &problem) : NULL;
        if (bytes && !settings) error_set(error, "%s:%d: %s", config, problem.line, problem.text);
        if (settings && !json_is_object(settings)) {
            error_set(error, "%s: not a JSON object", config);
            json_decref(settings);
            settings = NULL;
        }
        free(bytes);
    }
    free(config);
    return settings;
}

bool tokenizer_setting(const json_t *settings, const char *key, bool standard, bool *value, Error *error) {
    const json_t *found = json_object_get(settings, key);
    *value = !found || json_is_null(found) ? standard : json_is_true(found);
    return !found || json_is_null(found) || json_is_boolean(found) ||
           error_set(error, "tokenizer_config.json: %s must be true or false", key);
}

/* tokenizer_config.json of a Hugging Face folder, and what tokenizer.json says of the same. */
#ifndef TEXT_TOKENIZER_SETTINGS_H
#define TEXT_TOKENIZER_SETTINGS_H

#include "core/error.h"
#include "stream/content_hash.h"

#include <jansson.h>

typedef struct TokenizerSettings {
    char *path; /* of tokenizer_config.json, for messages */
    json_t *values;
} TokenizerSettings;

/* The object in tokenizer_config.json beside `path`, also added to `hash`; an empty one when there is no such
 * file. To be freed, also after an error. */
bool tokenizer_settings_read(TokenizerSettings *settings, const char *path, ContentHash *hash, Error *error);
void tokenizer_settings_free(TokenizerSettings *settings);

/* Adds the flags of BERT's normalizer that stand only in tokenizer.json beside it; of one that stands in both
 * and differs, a warning. */
bool tokenizer_settings_complete(TokenizerSettings *settings, ContentHash *hash, Error *error);

/* A flag that is missing or null has its default; another type is an error that names file and key. */
bool tokenizer_setting(const TokenizerSettings *settings, const char *key, bool standard, bool *value,
                       Error *error);

/* Whether do_lower_case says that texts are not to be lower-cased. */
bool tokenizer_setting_keeps_case(const TokenizerSettings *settings, bool *keeps_case, Error *error);

#endif

/* tokenizer_config.json of a Hugging Face folder, and what tokenizer.json says of the same. */
#ifndef TEXT_TOKENIZER_SETTINGS_H
#define TEXT_TOKENIZER_SETTINGS_H

#include "core/error.h"
#include "stream/content_hash.h"

#include <jansson.h>

/* The object in tokenizer_config.json beside `path`, also added to `hash`; an empty one when there is no such
 * file. A new reference. */
json_t *tokenizer_settings_read(const char *path, ContentHash *hash, Error *error);

/* Adds the flags of BERT's normalizer that stand only in tokenizer.json beside `path`; of one that stands in
 * both and differs, a warning. */
bool tokenizer_settings_complete(json_t *settings, const char *path, ContentHash *hash, Error *error);

/* A flag that is missing or null has its default; another type is an error that names the key. */
bool tokenizer_setting(const json_t *settings, const char *key, bool standard, bool *value, Error *error);

/* Whether do_lower_case says that texts are not to be lower-cased. */
bool tokenizer_setting_keeps_case(const json_t *settings, bool *keeps_case, Error *error);

#endif

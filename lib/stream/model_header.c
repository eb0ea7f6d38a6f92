#include "stream/model_header.h"

#include "stream/header.h"

#include <string.h>

/* The settings that say what tensors a model has and how they are used. */
static bool shapes_tensors(const char *setting) {
    static const char *const settings[] = {
        "fusion",     "fusion-heads", "fusion-intermediate", "fusion-layers", "user-encoder",
        "user-heads", "user-blocks",  "max-seq-len",         "dim",
    };
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++)
        if (!strcmp(setting, settings[i])) return true;
    return false;
}

/* Adds the members that only `other` has; those that both have and may not differ go to `one` and `two`. */
static void join_members(json_t *map, const json_t *other, bool (*matters)(const char *), json_t *one,
                         json_t *two) {
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)other, key, value) {
        json_t *own = json_object_get(map, key);
        if (!own)
            json_object_set(map, key, value);
        else if (!matters || matters(key) || json_is_object(value)) {
            json_object_set(one, key, own);
            json_object_set(two, key, value);
        }
    }
}

bool model_header_merge(json_t *header, const json_t *other, Error *error) {
    json_t *config = json_deep_copy(json_object_get(header, "config"));
    json_t *rest = json_copy((json_t *)other), *one = json_object(), *two = json_object();
    json_object_del(rest, "provenance");
    json_object_del(rest, "info");
    json_object_del(rest, "config");
    join_members(header, rest, NULL, one, two);
    if (!config) config = json_object();
    join_members(config, json_object_get(other, "config"), shapes_tensors, one, two);
    json_object_set_new(header, "config", config);
    char differences[HEADER_DIFFERENCES_TEXT];
    header_differences(one, two, differences);
    json_decref(rest);
    json_decref(one);
    json_decref(two);
    return !*differences || error_set(error, "%s", differences);
}

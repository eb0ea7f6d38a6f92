#include "core/same_run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A value of a run for a message. */
static void describe_value(const json_t *value, char text[64]) {
    char *json =
        value && !json_is_null(value) ? json_dumps(value, JSON_ENCODE_ANY | JSON_REAL_PRECISION(9)) : NULL;
    snprintf(text, 64, "%s", json ? json : "nothing");
    free(json);
}

static bool refuse_difference(const char *key, const json_t *theirs, const json_t *ours, const char *way_out,
                              Error *error) {
    char there[64], here[64];
    const char *dashes = strcmp(key, "input") ? "--" : "";
    if (json_is_object(theirs) || json_is_object(ours)) /* contents of files */
        return error_set(error, "it belongs to a run with another %s%s; give the same, %s", dashes, key,
                         way_out);
    describe_value(theirs, there);
    describe_value(ours, here);
    return error_set(error, "it belongs to a run with %s%s %s, and here it is %s; give the same, %s", dashes,
                     key, there, here, way_out);
}

bool same_run(const json_t *theirs, const json_t *ours, const char *way_out, Error *error) {
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)ours, key, value) {
        const json_t *other = json_object_get(theirs, key);
        if (!other || !json_equal(value, other)) return refuse_difference(key, other, value, way_out, error);
    }
    json_object_foreach((json_t *)theirs, key, value) {
        if (!json_object_get(ours, key)) return refuse_difference(key, value, NULL, way_out, error);
    }
    return true;
}

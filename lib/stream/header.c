#include "stream/header.h"

#include "core/memory.h"
#include "core/version.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

json_t *header_create(const char *kind) {
    return json_pack("{s:s, s:i, s:s}", "format", STREAM_FORMAT, "version", STREAM_VERSION, "kind", kind);
}

void header_sign(json_t *header, const char *tool, json_t *options) {
    json_object_set_new(header, "provenance",
                        json_pack("{s:s, s:s, s:o, s:{}}", "tool", tool, "version", PROJECT_VERSION,
                                  "options", options ? options : json_object(), "inputs"));
}

/* A copy of a tree of {"inputs": {role: tree}} that ends after `generations`. */
static json_t *prune(const json_t *tree, int generations) {
    if (!json_is_object(tree)) return json_null();
    json_t *copy = json_copy((json_t *)tree);
    const json_t *inputs = json_object_get(tree, "inputs");
    if (!json_is_object(inputs)) return copy;
    if (generations <= 1) {
        json_object_del(copy, "inputs");
        return copy;
    }
    json_t *pruned = json_object();
    const char *role;
    json_t *input;
    json_object_foreach((json_t *)inputs, role, input)
        json_object_set_new(pruned, role, prune(input, generations - 1));
    json_object_set_new(copy, "inputs", pruned);
    return copy;
}

json_t *header_prune(const json_t *tree) {
    return prune(tree, HEADER_MAX_GENERATIONS);
}

void header_add_input(json_t *header, const char *role, const json_t *input) {
    json_t *inputs = json_object_get(json_object_get(header, "provenance"), "inputs");
    const json_t *provenance = json_object_get(input, "provenance");
    json_object_set_new(inputs, role, header_prune(provenance));
}

/* The lines of descent in the header and the hashes in the end record have the same shape; laid over each
 * other they are one tree of {"hash", "tool", "version", "options", "inputs"}. */
static json_t *lay_over(const json_t *provenance, const json_t *content) {
    json_t *tree = json_object();
    if (json_object_get(content, "hash")) json_object_set(tree, "hash", json_object_get(content, "hash"));
    if (json_is_object(provenance)) json_object_update(tree, (json_t *)provenance);
    const json_t *inputs = json_object_get(provenance, "inputs"),
                 *hashes = json_object_get(content, "inputs");
    json_t *both = json_object();
    const char *role;
    json_t *input;
    json_object_foreach((json_t *)inputs, role, input)
        json_object_set_new(both, role, lay_over(input, json_object_get(hashes, role)));
    json_object_foreach((json_t *)hashes, role, input) if (!json_object_get(both, role))
        json_object_set_new(both, role, lay_over(NULL, input));
    json_object_del(tree, "inputs");
    if (json_object_size(both)) json_object_set(tree, "inputs", both);
    json_decref(both);
    return tree;
}

json_t *header_lineage(const json_t *header, const json_t *content) {
    json_t *lineage = json_copy((json_t *)header);
    json_object_set_new(lineage, "provenance", lay_over(json_object_get(header, "provenance"), content));
    return lineage;
}

/* What says nothing of the records: how they came about, and what somebody noted beside them. */
static bool is_aside(const char *key) {
    return !strcmp(key, "provenance") || !strcmp(key, "info");
}

static json_t *without_asides(const json_t *header) {
    json_t *rest = json_copy((json_t *)header);
    json_object_del(rest, "provenance");
    json_object_del(rest, "info");
    return rest;
}

bool header_is_compatible(const json_t *header, const json_t *other) {
    json_t *one = without_asides(header), *two = without_asides(other);
    const bool equal = json_equal(one, two);
    json_decref(one);
    json_decref(two);
    return equal;
}

static void note_difference(char *text, const char *path, const json_t *one, const json_t *two) {
    char *first = one ? json_dumps(one, JSON_COMPACT | JSON_ENCODE_ANY) : NULL;
    char *second = two ? json_dumps(two, JSON_COMPACT | JSON_ENCODE_ANY) : NULL;
    const size_t used = strlen(text);
    snprintf(text + used, HEADER_DIFFERENCES_TEXT - used, "%s%s is %.60s and %.60s", used ? "; " : "", path,
             first ? first : "absent", second ? second : "absent");
    free(first);
    free(second);
}

static void compare(char *text, const char *prefix, const json_t *one, const json_t *two);

static void compare_member(char *text, const char *prefix, const char *key, const json_t *one,
                           const json_t *two) {
    char path[128];
    snprintf(path, sizeof path, "%s%s%.60s", prefix, *prefix ? "." : "", key);
    if (json_is_object(one) && json_is_object(two))
        compare(text, path, one, two);
    else if (!one || !two || !json_equal(one, two))
        note_difference(text, path, one, two);
}

static void compare(char *text, const char *prefix, const json_t *one, const json_t *two) {
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)one, key,
                        value) if (*prefix || !is_aside(key)) /* only those of the header itself */
        compare_member(text, prefix, key, value, json_object_get(two, key));
    json_object_foreach((json_t *)two, key,
                        value) if (!json_object_get(one, key) && (*prefix || !is_aside(key)))
        compare_member(text, prefix, key, NULL, value);
}

void header_differences(const json_t *header, const json_t *other, char text[HEADER_DIFFERENCES_TEXT]) {
    text[0] = 0;
    compare(text, "", header, other);
}

char *header_describe(const json_t *header) {
    json_t *rest = without_asides(header);
    char *text = json_dumps(rest, 0);
    json_decref(rest);
    return text ? text : memory_copy_text("", 0);
}

const char *header_text(const json_t *header, const char *key, Error *error) {
    const json_t *value = json_object_get(header, key);
    if (json_is_string(value)) return json_string_value(value);
    error_set(error, value ? "the header's '%s' is not a string" : "the header has no '%s'", key);
    return NULL;
}

bool header_integer(const json_t *header, const char *key, int64_t minimum, int64_t maximum, int64_t *value,
                    Error *error) {
    const json_t *found = json_object_get(header, key);
    if (!found) return error_set(error, "the header has no '%s'", key);
    if (!json_is_integer(found)) return error_set(error, "the header's '%s' is not a whole number", key);
    *value = json_integer_value(found);
    if (*value >= minimum && *value <= maximum) return true;
    return error_set(error, "the header's '%s' is %" PRId64 "; it must be between %" PRId64 " and %" PRId64,
                     key, *value, minimum, maximum);
}

#include "core/json_file.h"

#include "core/file.h"
#include "core/file_kind.h"

#include <stdlib.h>

json_t *json_object_parse(const char *path, const void *bytes, size_t size, Error *error) {
    json_error_t problem;
    json_t *value = json_loadb(bytes, size, JSON_REJECT_DUPLICATES, &problem);
    if (json_is_object(value)) return value;
    if (value)
        error_set(error, "%s: not a JSON object", path);
    else
        error_set(error, "%s:%d: %s", path, problem.line > 0 ? problem.line : 1, problem.text);
    json_decref(value);
    return NULL;
}

json_t *json_file_read(const char *path, size_t limit, Error *error) {
    size_t size;
    unsigned char *bytes = file_read(path, limit, &size, error);
    json_t *value = bytes ? json_object_parse(path, bytes, size, error) : NULL;
    if (bytes && !value && *bytes != '{') file_kind_explain(path, error);
    free(bytes);
    return value;
}

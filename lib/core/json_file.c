#include "core/json_file.h"

#include "core/file.h"
#include "core/file_kind.h"

#include <stdlib.h>
#include <string.h>

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

/* A number of a JSON text, and a point in it where there was one. */
static void print_number(const char *token, size_t size, FILE *stream) {
    char text[32];
    const double number = strtod(token, NULL);
    const bool real = strcspn(token, ".eE") < size;
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, number);
        if (strtod(text, NULL) == number) break;
    }
    if (real)
        fprintf(stream, "%s%s", text, strpbrk(text, ".e") ? "" : ".0");
    else
        fwrite(token, 1, size, stream);
}

/* The length of a string of a JSON text, with its quotes. */
static size_t string_length(const char *text) {
    size_t length = 1;
    while (text[length] != '"')
        length += text[length] == '\\' ? 2 : 1;
    return length + 1;
}

void json_print(const json_t *value, FILE *stream) {
    char *text = json_dumps(value, JSON_INDENT(2) | JSON_ENCODE_ANY);
    size_t size;
    for (const char *at = text; at && *at; at += size) {
        if (*at == '-' || (*at >= '0' && *at <= '9')) {
            size = strspn(at, "+-.0123456789eE");
            print_number(at, size, stream);
            continue;
        }
        size = *at == '"' ? string_length(at) : 1;
        fwrite(at, 1, size, stream);
    }
    putc('\n', stream);
    free(text);
}

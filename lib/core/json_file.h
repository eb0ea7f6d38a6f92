/* JSON files with a limit and messages that name the file and the line. */
#ifndef CORE_JSON_FILE_H
#define CORE_JSON_FILE_H

#include "core/error.h"

#include <jansson.h>
#include <stdio.h>

/* An object; keys that stand twice are an error. A new reference. */
json_t *json_file_read(const char *path, size_t limit, Error *error);

/* The same of bytes that were read already; `path` is for messages. */
json_t *json_object_parse(const char *path, const void *bytes, size_t size, Error *error);

/* As indented text and a line end, each number with the fewest digits that read back as the same: 0.1, not
 * 0.10000000000000001. */
void json_print(const json_t *value, FILE *stream);

#endif

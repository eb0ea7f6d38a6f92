/* JSON files with a limit and messages that name the file and the line. */
#ifndef CORE_JSON_FILE_H
#define CORE_JSON_FILE_H

#include "core/error.h"

#include <jansson.h>

/* An object; keys that stand twice are an error. A new reference. */
json_t *json_file_read(const char *path, size_t limit, Error *error);

/* The same of bytes that were read already; `path` is for messages. */
json_t *json_object_parse(const char *path, const void *bytes, size_t size, Error *error);

#endif

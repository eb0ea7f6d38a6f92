/* JSON files with a limit and messages that name the file and the line. */
#ifndef CORE_JSON_FILE_H
#define CORE_JSON_FILE_H

#include "core/error.h"

#include <jansson.h>

/* An object; keys that stand twice are an error. A new reference. */
json_t *json_file_read(const char *path, size_t limit, Error *error);

#endif

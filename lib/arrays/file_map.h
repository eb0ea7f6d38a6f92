/* A whole file mapped into memory for reading. */
#ifndef ARRAYS_FILE_MAP_H
#define ARRAYS_FILE_MAP_H

#include "core/error.h"

#include <stddef.h>

typedef struct FileMap {
    const unsigned char *bytes; /* NULL when the file is empty */
    size_t size;
} FileMap;

bool file_map_open(FileMap *map, const char *path, Error *error);
void file_map_close(FileMap *map);

#endif

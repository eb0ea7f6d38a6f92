/* Files that are whole or not there: outputs are written beside their target and renamed when complete. */
#ifndef CORE_FILE_H
#define CORE_FILE_H

#include "core/error.h"

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

typedef struct OutputFile OutputFile;

/* A file that appears under `path` at output_file_commit and not before; "-" or NULL is standard output. */
OutputFile *output_file_open(const char *path, Error *error);
FILE *output_file_stream(OutputFile *file);
const char *output_file_name(const OutputFile *file);

/* Where the file stands until it is committed, for a library that opens it by itself; NULL where the target
 * is no regular file. */
const char *output_file_temporary(const OutputFile *file);

/* Flushes, syncs and renames. On failure the target is as it was. Frees `file` either way. */
bool output_file_commit(OutputFile *file, Error *error);

/* Removes what was written (of standard output, what is not yet flushed stays unwritten). NULL is allowed. */
void output_file_abandon(OutputFile *file);

/* The whole file in memory, to be freed, with a NUL behind it; more than `limit` bytes are an error. */
unsigned char *file_read(const char *path, size_t limit, size_t *size, Error *error);

/* A name for messages: "standard input" for "-" and NULL. */
const char *file_display_name(const char *path);

#endif

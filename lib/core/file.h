/* Files that are whole or not there: outputs are written without a name, or a hidden one, and appear when
 * complete. */
#ifndef CORE_FILE_H
#define CORE_FILE_H

#include "core/error.h"

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

typedef struct OutputFile OutputFile;

/* A file that appears under `path` at output_file_commit and not before; "-" or NULL is standard output.
 * Links are followed, so that what they lead to is replaced, and its mode is kept. A device, a pipe or a
 * descriptor (/dev/stdout) is written in place. */
OutputFile *output_file_open(const char *path, Error *error);

/* The same, written as PATH.part, which stays when it is not committed and not empty, for the next run to go
 * on with; two at a time are refused. Only a regular file can be one. */
OutputFile *output_file_open_kept(const char *path, Error *error);

/* Whether output_file_open would succeed, for an output that is opened only after long work. */
bool output_file_probe(const char *path, Error *error);

FILE *output_file_stream(OutputFile *file);
const char *output_file_name(const OutputFile *file);

/* A path to the file until it is committed, for a library that opens it by itself; NULL where it is written
 * in place. */
const char *output_file_temporary(const OutputFile *file);

/* Whether all that was written until now is on the disk: for an output that must not fail after another. */
bool output_file_flush(OutputFile *file, Error *error);

/* Flushes, syncs and renames. On failure the target is as it was (but when the folder cannot be synced).
 * Frees `file` either way. */
bool output_file_commit(OutputFile *file, Error *error);

/* Commits two files of which the second is read beside the first. The old second goes before the first is
 * replaced, so that whatever fails, it never stands beside another first. */
bool output_file_commit_pair(OutputFile *first, OutputFile *second, Error *error);

/* Removes what was written (of standard output, what is not yet flushed stays unwritten). NULL is allowed. */
void output_file_abandon(OutputFile *file);

/* Flushes standard output and says whether all of it could be written. */
bool standard_output_finish(Error *error);

/* The whole file in memory, to be freed, with a NUL behind it; more than `limit` bytes are an error. */
unsigned char *file_read(const char *path, size_t limit, size_t *size, Error *error);

/* Whether `path` can be read more than once, or anywhere: a regular file. Does not open it, for which a FIFO
 * would wait. */
bool file_check_regular(const char *path, Error *error);

/* A name for messages: "standard input" for "-" and NULL. */
const char *file_display_name(const char *path);

#endif

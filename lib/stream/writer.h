/* Writes a stream. The output appears under its name when it is complete, and not before. */
#ifndef STREAM_WRITER_H
#define STREAM_WRITER_H

#include "stream/header.h"
#include "stream/record.h"

typedef struct StreamWriter StreamWriter;

/* "-" or NULL is standard output. The header is copied. */
StreamWriter *stream_writer_open(const char *path, const json_t *header, Error *error);

/* The record's memory is the caller's again after the call. */
bool stream_writer_put(StreamWriter *writer, const Record *record, Error *error);

/* Says what the input in the role `role` turned out to be: stream_reader_content or content_of_hash (stolen).
 * Any time before the end. */
void stream_writer_add_content(StreamWriter *writer, const char *role, json_t *content);

/* Writes the end record and makes the output appear. Frees the writer, also on failure. */
bool stream_writer_close(StreamWriter *writer, Error *error);

/* Leaves nothing behind. NULL is allowed. */
void stream_writer_abandon(StreamWriter *writer);

#endif

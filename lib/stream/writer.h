/* Writes a stream. The output appears under its name when it is complete, and not before. */
#ifndef STREAM_WRITER_H
#define STREAM_WRITER_H

#include "stream/frame_encoder.h"
#include "stream/header.h"
#include "stream/record.h"
#include "stream/replay.h"

typedef struct StreamWriter StreamWriter;

/* The entry of --level in a tool's options: an int64_t that starts as FRAME_DEFAULT_LEVEL. */
#define OPTION_LEVEL(number)                                                                                 \
    {                                                                                                        \
        .name = "level", .kind = OPTION_INTEGER, .value = &(number), .argument = "N", .minimum = 1,          \
        .maximum = 19, .unrecorded = true, .help = "of compression, as for zstd"                             \
    }

/* "-" or NULL is standard output. The header is copied. */
StreamWriter *stream_writer_open(const char *path, const json_t *header, Error *error);

/* The same, written as PATH.part with a journal beside it, PATH.part.run, which both stay when the writing is
 * abandoned or the program killed, for the next run to go on with. `run` is all that the bytes follow from
 * (core/same_run.h); what is there is refused when it is of another. What is made in the end has the same
 * bytes as without interruption. */
StreamWriter *stream_writer_resume(const char *path, const json_t *header, const json_t *run,
                                   ReplayWatch watch, Error *error);

/* How far what was there goes; NULL when there is nothing. Valid until the writer is closed. */
const JournalMark *stream_writer_done(const StreamWriter *writer);

/* Of what the next record is made: the hash of all that was read up to it. Only for stream_writer_resume, and
 * then for every record or for none. */
void stream_writer_note(StreamWriter *writer, const char input[CONTENT_HASH_TEXT]);

/* zstd's level instead of FRAME_DEFAULT_LEVEL, before the first record. */
void stream_writer_set_level(StreamWriter *writer, int level);

/* The record's memory is the caller's again after the call. */
bool stream_writer_put(StreamWriter *writer, const Record *record, Error *error);

/* Says what the input in the role `role` turned out to be: stream_reader_content or content_of_hash (stolen).
 * Any time before the end. */
void stream_writer_add_content(StreamWriter *writer, const char *role, json_t *content);

/* Writes the end record and makes the output appear. Frees the writer, also on failure. */
bool stream_writer_close(StreamWriter *writer, Error *error);

/* Leaves nothing behind, but what stream_writer_resume can go on with. NULL is allowed. */
void stream_writer_abandon(StreamWriter *writer);

#endif

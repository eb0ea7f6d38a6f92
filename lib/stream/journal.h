/* What stands beside a stream while it is written as FILE.part, so that a run that was killed can go on: in
 * FILE.part.run a line of JSON that says whose it is, and one for every frame that is whole. */
#ifndef STREAM_JOURNAL_H
#define STREAM_JOURNAL_H

#include "core/file.h"
#include "stream/content_hash.h"

#include <jansson.h>

typedef struct Journal Journal;

/* Up to and with a frame. */
typedef struct JournalMark {
    uint64_t records, bytes;       /* the stream's, from its start */
    uint64_t hash;                 /* of the frame's decompressed bytes (index_hash) */
    char input[CONTENT_HASH_TEXT]; /* what journal_note was given for the last record, or empty */
} JournalMark;

/* Opens the journal of a stream that output_file_open_kept opened, which must outlive it. A new or empty
 * stream gets a new one; one of another run (core/same_run.h) is refused. */
Journal *journal_open(OutputFile *stream, const json_t *run, Error *error);

/* The stream is to be abandoned. Where nothing is left to go on with, the journal goes, and the stream
 * becomes empty, so that it goes, too. NULL is allowed. */
void journal_close(Journal *journal);

/* The stream was committed, or could not be. Frees the journal; NULL is allowed. */
void journal_end(Journal *journal, bool is_whole);

/* The marks that were there when it was opened, but those that journal_cut took away. */
size_t journal_count(const Journal *journal);
const JournalMark *journal_mark(const Journal *journal, size_t number);

/* Only the first `count` marks count: cuts the journal and the stream behind them. */
bool journal_cut(Journal *journal, size_t count, Error *error);

/* Of what the next record was made: the hash of all that was read up to it. */
void journal_note(Journal *journal, const char input[CONTENT_HASH_TEXT]);

/* A frame was written, of so many bytes and records. */
bool journal_add(Journal *journal, uint64_t bytes, uint64_t records, uint64_t hash, Error *error);

#endif

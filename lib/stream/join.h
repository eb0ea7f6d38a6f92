/* The records of two streams that have the same key, in one pass over both. */
#ifndef STREAM_JOIN_H
#define STREAM_JOIN_H

#include "stream/reader.h"

typedef struct StreamJoin StreamJoin;

typedef enum JoinSide { JOIN_A, JOIN_B, JOIN_SIDES } JoinSide;

/* The readers remain the caller's, who closes them after stream_join_destroy. Of records that wait for their
 * partner, `memory_limit` bytes stay in memory; others go into a scratch file. */
StreamJoin *stream_join_create(StreamReader *a, StreamReader *b, size_t memory_limit);
void stream_join_destroy(StreamJoin *join);

/* The next pair, in the order in which pairs complete; valid until the next call. Of streams in the same
 * order no record is kept; otherwise a copy waits until its partner comes. An index tells of a record at once
 * that none will come; without one, it waits until the end. A key that comes twice in one stream is an error
 * that names both records. STREAM_END only when both streams are whole. */
StreamStatus stream_join_next(StreamJoin *join, Record *a, Record *b, Error *error);

/* After STREAM_END: how many records of a side had no partner, and the key of the first of them for messages
 * (NULL when there is none). */
uint64_t stream_join_unmatched(const StreamJoin *join, JoinSide side);
const char *stream_join_first_unmatched(const StreamJoin *join, JoinSide side);

#endif

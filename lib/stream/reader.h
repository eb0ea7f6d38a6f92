/* Reads a stream, or several of one kind that follow each other, in one pass, and trusts nothing in it. */
#ifndef STREAM_READER_H
#define STREAM_READER_H

#include "stream/header.h"
#include "stream/index.h"
#include "stream/record.h"
#include "stream/shard.h"

typedef struct StreamReader StreamReader;

typedef enum StreamStatus { STREAM_ERROR = -1, STREAM_END = 0, STREAM_RECORD = 1 } StreamStatus;

/* Opens and reads the header; "-" or NULL is standard input. */
StreamReader *stream_reader_open(const char *path, Error *error);

/* As stream_reader_open, and refuses a stream of another kind ("hidden|tokens": one of several). */
StreamReader *stream_reader_open_kind(const char *path, const char *kinds, Error *error);

/* Is given the bytes of every header, record and end map before they are looked into. An index is passed
 * over. */
typedef struct StreamWatch {
    void (*take)(void *context, const unsigned char *bytes, size_t size);
    void *context;
} StreamWatch;
StreamReader *stream_reader_open_watched(const char *path, StreamWatch watch, Error *error);

void stream_reader_close(StreamReader *reader);

/* The header; it belongs to the reader. */
const json_t *stream_reader_header(const StreamReader *reader);
const char *stream_reader_name(const StreamReader *reader);

/* The next record; what it points to is valid until the next call. STREAM_END only when the stream is whole:
 * the end record, its count and its hash agree, and nothing incompatible follows. */
StreamStatus stream_reader_next(StreamReader *reader, Record *record, Error *error);

/* The data of a tensor of the last record, aligned and to be freed: the reader gives its own memory away, so
 * that a large tensor is never there twice. The record, with all its tensors, is gone afterwards. */
void *stream_reader_take(StreamReader *reader, const RecordTensor *tensor);

/* The index of a regular file; NULL where there is none. */
const StreamIndex *stream_reader_index(const StreamReader *reader);

/* With an index: goes on with record number `first`, from 1, and ends behind `count` records. From then on
 * the frames that are read are checked, but not that the stream is whole, and stream_reader_content is what
 * the index claims. */
bool stream_reader_seek(StreamReader *reader, uint64_t first, uint64_t count, Error *error);

/* Only a share of the records comes from now on: with an index a range of them, which alone is read; without
 * one every N-th, of all that is read. */
bool stream_reader_take_shard(StreamReader *reader, const Shard *shard, Error *error);

/* Records read so far: the number of the last one, from 1. */
uint64_t stream_reader_count(const StreamReader *reader);

/* After STREAM_END: {"hash": …, "inputs": {…}} of what was read. A new reference. Before the first record it
 * is what an index claims; NULL where there is none. */
json_t *stream_reader_content(const StreamReader *reader);

#endif

/* Streams of one kind, or parts of models, made one stream. */
#ifndef STREAM_CONCATENATE_H
#define STREAM_CONCATENATE_H

#include "core/error.h"
#include "stream/record.h"
#include "stream/shard.h"

#include <jansson.h>

typedef struct Concatenation {
    char *const *names; /* of files; "-" is standard input */
    int count;
    const char *output; /* as for stream_writer_open */
    const char *globs;  /* as for key_matches */
    Shard shard;        /* of the only file */
    int level;          /* as for stream_writer_set_level */
    const char *tool;   /* signs what is new, with these options: a selection, or a model of several parts */
    json_t *options;
} Concatenation;

typedef struct RecordCounts {
    uint64_t seen, kept; /* records */
} RecordCounts;

/* Writes the records of all files, in order, whose keys match. Headers must be compatible; parts of models
 * need only fit together (model_header_merge), and no tensor of a model or encoder may come twice. */
bool stream_concatenate(const Concatenation *request, RecordCounts *counts, Error *error);

#endif

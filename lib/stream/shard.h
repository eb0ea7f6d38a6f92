/* Shares of a stream: `--shard I/N` of a tool reads the I-th of N. The shares, one behind the other, are all
 * records; in their order, where their number is known beforehand. */
#ifndef STREAM_SHARD_H
#define STREAM_SHARD_H

#include "core/error.h"

#include <stdint.h>

typedef struct Shard {
    uint64_t number, count; /* from 1; {0} is everything */
} Shard;

/* The entry of --shard in a tool's options. It is not recorded, so that the shares joined are the whole. */
#define OPTION_SHARD(text)                                                                                   \
    {                                                                                                        \
        .name = "shard", .kind = OPTION_TEXT, .value = &(text), .argument = "I/N", .unrecorded = true,       \
        .help = "only the I-th of N shares of the input, for cat"                                            \
    }

/* "I/N"; NULL is everything. */
bool shard_parse(Shard *shard, const char *text, Error *error);

/* Of `total` records: the number of the first, from 1, and how many follow it. */
void shard_range(const Shard *shard, uint64_t total, uint64_t *first, uint64_t *count);

/* Where the total is not known: is record `number` in the share? It has I, I + N, I + 2 N … */
bool shard_takes(const Shard *shard, uint64_t number);

#endif

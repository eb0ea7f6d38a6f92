/* The decompressed bytes of a file of zstd frames, read and decompressed on a thread of their own while the
 * caller works on what came before. */
#ifndef STREAM_READ_AHEAD_H
#define STREAM_READ_AHEAD_H

#include "core/error.h"

#include <stddef.h>

typedef struct ReadAhead ReadAhead;

/* The file remains the caller's; the name is for messages. */
ReadAhead *read_ahead_open(int file, const char *name, Error *error);

/* Also in the middle of a file, and while nothing comes. */
void read_ahead_close(ReadAhead *ahead);

/* As zstd_input_read. */
bool read_ahead_read(ReadAhead *ahead, void *bytes, size_t room, size_t *got, Error *error);

#endif

/* The decompressed bytes of a file of zstd frames. */
#ifndef STREAM_ZSTD_INPUT_H
#define STREAM_ZSTD_INPUT_H

#include "core/error.h"

#include <stddef.h>

typedef struct ZstdInput ZstdInput;

/* The file remains the caller's. */
ZstdInput *zstd_input_open(int file, Error *error);

/* Reading fails instead of waiting as soon as the file descriptor `stop` can be read. */
void zstd_input_stop_by(ZstdInput *input, int stop);

void zstd_input_close(ZstdInput *input);

/* At most `room` bytes, at least one but at the end of the file (*got = 0), which must be that of a frame.
 * Messages do not name the file. */
bool zstd_input_read(ZstdInput *input, void *bytes, size_t room, size_t *got, Error *error);

#endif

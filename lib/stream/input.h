/* The decompressed bytes of a stream: by its index, where a regular file has one, else from front to back. */
#ifndef STREAM_INPUT_H
#define STREAM_INPUT_H

#include "stream/index.h"

typedef struct StreamInput StreamInput;

/* "-" or NULL is standard input. Without `by_index` an index is passed over, as on a pipe. */
StreamInput *stream_input_open(const char *path, bool by_index, Error *error);
void stream_input_close(StreamInput *input);

/* As zstd_input_read. */
bool stream_input_read(StreamInput *input, void *bytes, size_t room, size_t *got, Error *error);

/* NULL where there is none. */
const StreamIndex *stream_input_index(const StreamInput *input);

/* With an index: reading goes on with the frames `first` to `end` − 1, and ends there. */
void stream_input_seek(StreamInput *input, size_t first, size_t end);

#endif

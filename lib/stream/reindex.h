/* An index for a stream that has none. */
#ifndef STREAM_REINDEX_H
#define STREAM_REINDEX_H

#include "core/error.h"

/* Writes the stream in `path` again with an index for each segment: other frames around the same bytes, so
 * that its content hash stays. "-" and NULL are the standard streams. */
bool stream_reindex(const char *path, const char *output, int level, Error *error);

#endif

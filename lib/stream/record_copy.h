/* A record that outlives the reader's next one. */
#ifndef STREAM_RECORD_COPY_H
#define STREAM_RECORD_COPY_H

#include "stream/record.h"

/* A copy in one block, to be given to record_free; only the name of the stream is shared. NULL with a message
 * when there is no memory for it. */
Record *record_copy(const Record *record, Error *error);
void record_free(Record *record);

#endif

/* Records that are put away for a while: in memory as long as they are few, else in a scratch file. */
#ifndef STREAM_RECORD_SPILL_H
#define STREAM_RECORD_SPILL_H

#include "stream/record.h"

typedef struct RecordSpill RecordSpill;

RecordSpill *record_spill_create(size_t memory_limit);
void record_spill_destroy(RecordSpill *spill); /* NULL is allowed */

/* *place is what record_spill_get wants to know. */
bool record_spill_put(RecordSpill *spill, const Record *record, uint64_t *place, Error *error);

/* A copy that is valid until the next; only the name of the stream is shared. */
bool record_spill_get(RecordSpill *spill, uint64_t place, Record *record, Error *error);

#endif

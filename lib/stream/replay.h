/* Reads again what a killed run has written of a stream, so that the run that goes on knows what it would
 * know if it had written it itself. */
#ifndef STREAM_REPLAY_H
#define STREAM_REPLAY_H

#include "stream/frame_encoder.h"
#include "stream/journal.h"
#include "stream/record.h"

/* Is given every record that is there. Where damage is found, all over again, from number 1, up to it. */
typedef struct ReplayWatch {
    void (*passed)(void *context, const Record *record);
    void *context;
} ReplayWatch;

/* An encoder that goes on behind the last frame that the journal has and that is as it was written; what lies
 * behind it is cut off. A stream with another header is refused. */
FrameEncoder *replay_frames(OutputFile *file, Journal *journal, const json_t *header, ReplayWatch watch,
                            Error *error);

#endif

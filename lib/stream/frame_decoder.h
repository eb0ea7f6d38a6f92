/* The decompressed bytes of the frames that an index lists, decompressed by several threads while the caller
 * works on what came before. */
#ifndef STREAM_FRAME_DECODER_H
#define STREAM_FRAME_DECODER_H

#include "stream/index.h"

typedef struct FrameDecoder FrameDecoder;

/* Frames `first` to `end` − 1. The index remains the caller's. */
FrameDecoder *frame_decoder_open(const StreamIndex *index, size_t first, size_t end);

/* Also in the middle. NULL is allowed. */
void frame_decoder_close(FrameDecoder *decoder);

/* At most `room` bytes, at least one but at the end of the last frame (*got = 0). A message says which frame
 * is damaged and which records it holds, but not the file. */
bool frame_decoder_read(FrameDecoder *decoder, void *bytes, size_t room, size_t *got, Error *error);

#endif

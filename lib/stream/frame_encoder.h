/* Cuts the bytes of a stream into zstd frames, at the ends of records, and compresses them on several
 * threads; behind each segment goes its index. The same bytes come out whatever the number of threads. */
#ifndef STREAM_FRAME_ENCODER_H
#define STREAM_FRAME_ENCODER_H

#include "core/file.h"
#include "stream/content_hash.h"

enum { FRAME_DEFAULT_LEVEL = 3 };

typedef struct FrameEncoder FrameEncoder;

/* The file remains the caller's; a terminal is refused. */
FrameEncoder *frame_encoder_create(OutputFile *file, Error *error);
void frame_encoder_destroy(FrameEncoder *encoder); /* NULL is allowed */

/* zstd's level, for what is not yet compressed. */
void frame_encoder_set_level(FrameEncoder *encoder, int level);

/* A frame that is in the file: its bytes there, those that they decompress to, index_hash of these, and how
 * many records they hold. */
typedef struct FrameWritten {
    uint64_t size, plain, hash, records;
} FrameWritten;

/* Is told of every frame but those that are written at the end of the segment. What it says is wrong ends the
 * writing. */
typedef struct FrameWatch {
    bool (*written)(void *context, const FrameWritten *frame, Error *error);
    void *context;
} FrameWatch;
void frame_encoder_watch(FrameEncoder *encoder, FrameWatch watch);

/* The next bytes of the segment: of its header, or of a record, which frame_encoder_end_record ends. After a
 * failure both only return false; frame_encoder_problem says why. */
bool frame_encoder_put(FrameEncoder *encoder, const void *bytes, size_t size);
bool frame_encoder_end_record(FrameEncoder *encoder, const void *key, size_t key_size);
const Error *frame_encoder_problem(const FrameEncoder *encoder);

/* What is in the file already, before anything is put: all bytes of the segment, the keys of its records, and
 * after each frame's this frame. */
void frame_encoder_pass(FrameEncoder *encoder, const void *bytes, size_t size);
void frame_encoder_pass_key(FrameEncoder *encoder, const void *key, size_t key_size);
void frame_encoder_pass_frame(FrameEncoder *encoder, const FrameWritten *frame);

/* The hash of the segment so far. */
void frame_encoder_hash(FrameEncoder *encoder, char text[CONTENT_HASH_TEXT]);

/* Writes all that is left, the end map and the index. Another segment may follow. */
bool frame_encoder_end_segment(FrameEncoder *encoder, const void *end, size_t size);

#endif

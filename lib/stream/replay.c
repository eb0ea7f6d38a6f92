#include "stream/replay.h"

#include "core/memory.h"
#include "stream/index_layout.h"
#include "stream/reader.h"

#include <string.h>
#include <unistd.h>
#include <xxhash.h>

typedef struct Replay {
    OutputFile *file;
    FrameEncoder *frames;
    StreamReader *reader;
    ReplayWatch watch;
    JournalMark last;   /* of the frames that were passed */
    XXH3_state_t *hash; /* of the frame that is being read */
    uint64_t plain;
} Replay;

/* The reader's watch. */
static void take(void *context, const unsigned char *bytes, size_t size) {
    Replay *replay = context;
    frame_encoder_pass(replay->frames, bytes, size);
    XXH3_64bits_update(replay->hash, bytes, size);
    replay->plain += size;
}

/* Nothing, or another frame, stands behind one that ends there. */
static bool is_frame_end(const Replay *replay, uint64_t at) {
    const uint32_t magic = FRAME_MAGIC;
    unsigned char bytes[sizeof magic];
    const ssize_t got = pread(fileno(output_file_stream(replay->file)), bytes, sizeof bytes, (off_t)at);
    return got >= 0 && !memcmp(bytes, &magic, (size_t)got);
}

/* One frame more, if it is what the journal says. False with an error of the machine, or without one. */
static bool pass_frame(Replay *replay, const JournalMark *mark, Error *error) {
    Record record;
    for (uint64_t i = replay->last.records; i < mark->records; i++) {
        const StreamStatus status = stream_reader_next(replay->reader, &record, error);
        if (status != STREAM_RECORD) return false;
        frame_encoder_pass_key(replay->frames, record.key, record.key_size);
        replay->watch.passed(replay->watch.context, &record);
    }
    const FrameWritten frame = {mark->bytes - replay->last.bytes, replay->plain, mark->hash,
                                mark->records - replay->last.records};
    if (XXH3_64bits_digest(replay->hash) != mark->hash || !is_frame_end(replay, mark->bytes)) return false;
    frame_encoder_pass_frame(replay->frames, &frame);
    XXH3_64bits_reset(replay->hash);
    replay->plain = 0;
    replay->last = *mark;
    return true;
}

static bool check_header(const Replay *replay, const json_t *header, Error *error) {
    return json_equal(stream_reader_header(replay->reader), header) ||
           error_set(
               error,
               "%s: it was begun by another version, or from inputs that were made in another way; remove "
               "it to begin anew",
               output_file_temporary(replay->file));
}

/* Passes the frames that the journal has, up to one that is damaged. False when it is not to be gone on with.
 */
static bool pass_frames(Replay *replay, const Journal *journal, const json_t *header, size_t *passed,
                        Error *error) {
    Error reason = {0};
    const char *name = output_file_temporary(replay->file);
    *passed = 0;
    if (!journal_count(journal)) return true;
    replay->reader = stream_reader_open_watched(name, (StreamWatch){take, replay}, &reason);
    if (replay->reader && !check_header(replay, header, error)) return false;
    while (replay->reader && *passed < journal_count(journal) &&
           pass_frame(replay, journal_mark(journal, *passed), &reason))
        ++*passed;
    if (reason.of_machine) *error = reason;
    return !reason.of_machine;
}

/* Once over all that the journal has; it is cut where the damage begins. */
static FrameEncoder *try_replay(Replay *replay, Journal *journal, const json_t *header, Error *error) {
    size_t passed;
    replay->frames = frame_encoder_create(replay->file, error);
    if (!replay->frames) return NULL;
    replay->hash = XXH3_createState();
    if (!replay->hash) memory_end(0, 0);
    XXH3_64bits_reset(replay->hash);
    const size_t count = journal_count(journal);
    const bool fine =
        pass_frames(replay, journal, header, &passed, error) && journal_cut(journal, passed, error);
    stream_reader_close(replay->reader);
    XXH3_freeState(replay->hash);
    if (fine && passed == count) return replay->frames;
    frame_encoder_destroy(replay->frames);
    return NULL;
}

FrameEncoder *replay_frames(OutputFile *file, Journal *journal, const json_t *header, ReplayWatch watch,
                            Error *error) {
    FrameEncoder *frames;
    size_t count;
    do {
        Replay replay = {.file = file, .watch = watch};
        count = journal_count(journal);
        frames = try_replay(&replay, journal, header, error);
    } while (!frames && journal_count(journal) < count);
    return frames;
}

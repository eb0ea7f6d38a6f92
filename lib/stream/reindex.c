#include "stream/reindex.h"

#include "core/progress.h"
#include "stream/frame_encoder.h"
#include "stream/reader.h"

typedef struct Reindex {
    FrameEncoder *frames;
    bool in_segment, fine;
} Reindex;

static bool is_map(unsigned char byte) {
    return (byte & 0xf0) == 0x80 || byte == 0xde || byte == 0xdf;
}

/* A map in a segment is its end. Records are ended by copy_records, which knows their keys. */
static void take(void *context, const unsigned char *bytes, size_t size) {
    Reindex *job = context;
    const bool map = is_map(bytes[0]), ends = map && job->in_segment;
    if (job->fine)
        job->fine = ends ? frame_encoder_end_segment(job->frames, bytes, size)
                         : frame_encoder_put(job->frames, bytes, size);
    if (map) job->in_segment = !ends;
}

static bool copy_records(Reindex *job, StreamReader *reader, Error *error) {
    Record record;
    Progress progress;
    StreamStatus status;
    progress_start(&progress, "records", 0);
    while ((status = stream_reader_next(reader, &record, error)) == STREAM_RECORD && job->fine) {
        job->fine = frame_encoder_end_record(job->frames, record.key, record.key_size);
        progress_update(&progress, record.number);
    }
    progress_finish(&progress);
    if (status == STREAM_ERROR) return false;
    if (!job->fine) *error = *frame_encoder_problem(job->frames);
    return job->fine;
}

bool stream_reindex(const char *path, const char *output, int level, Error *error) {
    OutputFile *file = output_file_open(output, error);
    Reindex job = {.frames = file ? frame_encoder_create(file, error) : NULL, .fine = true};
    if (job.frames) frame_encoder_set_level(job.frames, level);
    StreamReader *reader =
        job.frames ? stream_reader_open_watched(path, (StreamWatch){take, &job}, error) : NULL;
    const bool fine = reader && copy_records(&job, reader, error);
    stream_reader_close(reader);
    frame_encoder_destroy(job.frames);
    if (fine) return output_file_commit(file, error);
    output_file_abandon(file);
    return false;
}

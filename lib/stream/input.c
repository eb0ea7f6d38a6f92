#include "stream/input.h"

#include "core/file.h"
#include "core/memory.h"
#include "stream/frame_decoder.h"
#include "stream/read_ahead.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* One of ahead and index (with frames) is there. */
struct StreamInput {
    int file;
    ReadAhead *ahead;
    StreamIndex *index;
    FrameDecoder *frames;
};

static int open_file(const char *path, Error *error) {
    const bool standard = !path || !strcmp(path, "-");
    const int file = standard ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) error_set_errno(error, "cannot read %s", path);
    if (file < 0 || !isatty(file)) return file;
    error_set(error, "%s is a terminal; a stream must come from a file or a pipe", file_display_name(path));
    if (!standard) close(file);
    return -1;
}

/* A regular file, of which nothing was read yet. */
static bool can_seek(int file) {
    struct stat status;
    return !fstat(file, &status) && S_ISREG(status.st_mode) && lseek(file, 0, SEEK_CUR) == 0;
}

StreamInput *stream_input_open(const char *path, bool by_index, Error *error) {
    const int file = open_file(path, error);
    if (file < 0) return NULL;
    StreamInput *input = memory_need(1, sizeof *input);
    input->file = file;
    bool fine = true;
    if (by_index && can_seek(file) && !stream_index_load(file, &input->index, error))
        fine = error_prefix(error, "%s: ", file_display_name(path));
    if (fine && input->index)
        input->frames = frame_decoder_open(input->index, 0, input->index->frame_count);
    else if (fine)
        fine = (input->ahead = read_ahead_open(file, file_display_name(path), error));
    if (fine) return input;
    stream_input_close(input);
    return NULL;
}

void stream_input_close(StreamInput *input) {
    if (!input) return;
    read_ahead_close(input->ahead);
    frame_decoder_close(input->frames);
    stream_index_free(input->index);
    if (input->file != STDIN_FILENO) close(input->file);
    free(input);
}

bool stream_input_read(StreamInput *input, void *bytes, size_t room, size_t *got, Error *error) {
    return input->ahead ? read_ahead_read(input->ahead, bytes, room, got, error)
                        : frame_decoder_read(input->frames, bytes, room, got, error);
}

const StreamIndex *stream_input_index(const StreamInput *input) {
    return input->index;
}

void stream_input_seek(StreamInput *input, size_t first, size_t end) {
    frame_decoder_close(input->frames);
    input->frames = frame_decoder_open(input->index, first, end);
}

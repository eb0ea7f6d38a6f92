#include "stream/zstd_input.h"

#include "core/file_kind.h"
#include "core/memory.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>
#include <zstd.h>

enum { MAGIC_BYTES = 4 };

struct ZstdInput {
    int file;
    int stop; /* zstd_input_stop_by, or −1, which poll passes over */
    ZSTD_DCtx *context;
    unsigned char *bytes; /* compressed; those from `at` to `used` are still to be decompressed */
    size_t capacity, at, used;
    uint64_t offset; /* of bytes[0] in the file */
    size_t frames;   /* seen so far */
    uint64_t start;  /* where the last one begins */
    bool in_frame;   /* and it has not ended */
    bool ended;      /* the file has */
};

ZstdInput *zstd_input_open(int file, Error *error) {
    ZstdInput *input = memory_need(1, sizeof *input);
    input->file = file;
    input->stop = -1;
    input->capacity = ZSTD_DStreamInSize();
    input->bytes = memory_need(input->capacity, 1);
    input->context = ZSTD_createDCtx();
    if (!input->context) {
        error_set(error, "out of memory");
        zstd_input_close(input);
        return NULL;
    }
    return input;
}

void zstd_input_close(ZstdInput *input) {
    if (!input) return;
    ZSTD_freeDCtx(input->context);
    free(input->bytes);
    free(input);
}

void zstd_input_stop_by(ZstdInput *input, int stop) {
    input->stop = stop;
}

static bool wait_for_bytes(const ZstdInput *input, Error *error) {
    struct pollfd files[] = {{.fd = input->file, .events = POLLIN}, {.fd = input->stop, .events = POLLIN}};
    int ready;
    do
        ready = poll(files, 2, -1);
    while (ready < 0 && errno == EINTR);
    if (ready < 0) return error_set_errno(error, "cannot be read");
    return !files[1].revents || error_set(error, "no longer wanted");
}

/* Reads on behind what is still there. */
static bool read_more(ZstdInput *input, Error *error) {
    memmove(input->bytes, input->bytes + input->at, input->used - input->at);
    input->used -= input->at;
    input->offset += input->at;
    input->at = 0;
    ssize_t got;
    if (!wait_for_bytes(input, error)) return false;
    do
        got = read(input->file, input->bytes + input->used, input->capacity - input->used);
    while (got < 0 && errno == EINTR);
    if (got < 0) return error_set_errno(error, "cannot be read");
    input->used += (size_t)got;
    input->ended = got == 0;
    return true;
}

static bool is_frame(const unsigned char *bytes) {
    static const unsigned char frame[] = {0x28, 0xb5, 0x2f, 0xfd}, skippable[] = {0x2a, 0x4d, 0x18};
    return !memcmp(bytes, frame, sizeof frame) ||
           ((bytes[0] & 0xf0) == 0x50 && !memcmp(bytes + 1, skippable, sizeof skippable));
}

/* Says of a file that does not start with a frame what it may be. */
static bool refuse(const ZstdInput *input, Error *error) {
    const size_t size = input->used - input->at;
    const char *what =
        file_kind_describe(input->bytes + input->at, size < FILE_KIND_BYTES ? size : FILE_KIND_BYTES);
    if (input->frames)
        return error_set(error, "bytes follow that belong to no stream; it was altered, or written twice");
    if (!what) return error_set(error, "not a .pmt stream; files of other programs become one by pm-import");
    return error_set(error, "not a .pmt stream but %s", what);
}

/* Between frames: is there another? *more = false at the end of the file. */
static bool start_frame(ZstdInput *input, bool *more, Error *error) {
    while (input->used - input->at < MAGIC_BYTES && !input->ended)
        if (!read_more(input, error)) return false;
    *more = input->used > input->at;
    if (!*more) return true;
    if (input->used - input->at < MAGIC_BYTES || !is_frame(input->bytes + input->at))
        return refuse(input, error);
    input->in_frame = true;
    input->frames++;
    input->start = input->offset + input->at;
    return true;
}

bool zstd_input_read(ZstdInput *input, void *bytes, size_t room, size_t *got, Error *error) {
    ZSTD_outBuffer out = {bytes, room, 0};
    while (!out.pos) {
        bool more = true;
        if (!input->in_frame && !start_frame(input, &more, error)) return false;
        if (!more) break;
        ZSTD_inBuffer in = {input->bytes + input->at, input->used - input->at, 0};
        const size_t left = ZSTD_decompressStream(input->context, &out, &in);
        if (ZSTD_isError(left))
            return error_set(error, "damaged in frame %zu (from byte %" PRIu64 " on): %s", input->frames,
                             input->start, ZSTD_getErrorName(left));
        input->at += in.pos;
        input->in_frame = left > 0;
        if (out.pos || !input->in_frame || input->at < input->used) continue;
        if (input->ended) return error_set(error, "cut off within a zstd frame; make or copy it again");
        if (!read_more(input, error)) return false;
    }
    *got = out.pos;
    return true;
}

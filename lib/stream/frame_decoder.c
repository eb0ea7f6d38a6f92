#include "stream/frame_decoder.h"

#include "core/memory.h"
#include "core/parallel.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <xxhash.h>
#include <zstd.h>

/* A frame that is larger, packed or not, is decompressed piece by piece as it is asked for. */
#ifndef STREAM_LARGE_BYTES
#define STREAM_LARGE_BYTES ((size_t)20 << 20)
#endif

enum { MAX_THREADS = 16, PIECE_BYTES = 1 << 17 };

/* A frame on its way. */
typedef struct Slot {
    const IndexFrame *frame;
    unsigned char *plain, *packed;
    size_t plain_capacity, packed_capacity;
    bool large; /* it is left to the caller's thread */
    bool done;  /* guarded by the lock */
    bool failed;
    Error problem;
} Slot;

/* A frame that is decompressed as it is asked for. */
typedef struct LargeFrame {
    bool open;
    ZSTD_DCtx *context;
    XXH3_state_t *hash;
    unsigned char *packed;
    ZSTD_inBuffer in;
    uint64_t read, plain; /* bytes so far, of the file and decompressed */
    size_t left;          /* what zstd says of the frame it is in */
} LargeFrame;

struct FrameDecoder {
    const StreamIndex *index;
    size_t first, end;
    Slot *slots; /* a ring */
    size_t slot_count;
    size_t begun, consumed; /* frames so far, from `first`; guarded by the lock */
    size_t at;              /* bytes that the caller has had of the first frame in the ring */
    LargeFrame large;
    ZSTD_DCtx *context; /* of the caller's thread, where no other could be started */
    pthread_t threads[MAX_THREADS];
    size_t thread_count;
    pthread_mutex_t lock;
    pthread_cond_t moved;
    bool closing;
};

static bool damaged(const FrameDecoder *decoder, const IndexFrame *frame, const char *problem, Error *error) {
    char records[96] = "without a record";
    if (frame->records)
        snprintf(records, sizeof records, "records %" PRIu64 " to %" PRIu64, frame->first + 1,
                 frame->first + frame->records);
    return error_set(error, "damaged in frame %zu (bytes %" PRIu64 " to %" PRIu64 ", %s): %s",
                     (size_t)(frame - decoder->index->frames) + 1, frame->at, frame->at + frame->size,
                     records, problem);
}

static bool read_packed(const FrameDecoder *decoder, const IndexFrame *frame, uint64_t from,
                        unsigned char *bytes, size_t size, Error *error) {
    while (size) {
        const ssize_t got = pread(decoder->index->file, bytes, size, (off_t)(frame->at + from));
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return error_set_errno(error, "cannot be read");
        if (!got) return damaged(decoder, frame, "the file was cut while it was read", error);
        bytes += got;
        from += (uint64_t)got;
        size -= (size_t)got;
    }
    return true;
}

/* ---- Frames that threads decompress ---- */

static bool decode(const FrameDecoder *decoder, Slot *slot, ZSTD_DCtx *context, Error *error) {
    const IndexFrame *frame = slot->frame;
    if (slot->packed_capacity < frame->size || slot->plain_capacity < frame->plain) {
        free(slot->packed);
        free(slot->plain);
        slot->packed = malloc(slot->packed_capacity = frame->size);
        slot->plain = malloc(slot->plain_capacity = frame->plain + 1);
    }
    if (!context || !slot->packed || !slot->plain) return error_set(error, "out of memory");
    if (!read_packed(decoder, frame, 0, slot->packed, frame->size, error)) return false;
    const size_t size = ZSTD_decompressDCtx(context, slot->plain, frame->plain, slot->packed, frame->size);
    if (ZSTD_isError(size)) return damaged(decoder, frame, ZSTD_getErrorName(size), error);
    if (size != frame->plain || index_hash(slot->plain, size) != frame->hash)
        return damaged(decoder, frame, "it is not the frame that the index describes", error);
    return true;
}

static void fill(const FrameDecoder *decoder, Slot *slot, ZSTD_DCtx *context) {
    slot->large = slot->frame->plain > STREAM_LARGE_BYTES || slot->frame->size > STREAM_LARGE_BYTES;
    slot->failed = !slot->large && !decode(decoder, slot, context, &slot->problem);
}

/* The next slot to fill; NULL when there is none and will be none. The lock is held. */
static Slot *begin_slot(FrameDecoder *decoder) {
    if (decoder->closing || decoder->first + decoder->begun == decoder->end) return NULL;
    Slot *slot = &decoder->slots[decoder->begun % decoder->slot_count];
    slot->frame = &decoder->index->frames[decoder->first + decoder->begun++];
    slot->done = false;
    return slot;
}

static Slot *wait_for_room(FrameDecoder *decoder) {
    pthread_mutex_lock(&decoder->lock);
    while (decoder->begun - decoder->consumed == decoder->slot_count && !decoder->closing)
        pthread_cond_wait(&decoder->moved, &decoder->lock);
    Slot *slot = begin_slot(decoder);
    pthread_mutex_unlock(&decoder->lock);
    return slot;
}

static void *run(void *data) {
    FrameDecoder *decoder = data;
    ZSTD_DCtx *context = ZSTD_createDCtx();
    Slot *slot;
    while ((slot = wait_for_room(decoder))) {
        fill(decoder, slot, context);
        pthread_mutex_lock(&decoder->lock);
        slot->done = true;
        pthread_cond_broadcast(&decoder->moved);
        pthread_mutex_unlock(&decoder->lock);
    }
    ZSTD_freeDCtx(context);
    return NULL;
}

FrameDecoder *frame_decoder_open(const StreamIndex *index, size_t first, size_t end) {
    const int available = parallel_threads();
    size_t wanted = available < MAX_THREADS ? (size_t)available : MAX_THREADS;
    if (wanted > end - first) wanted = end - first;
    FrameDecoder *decoder = memory_need(1, sizeof *decoder);
    decoder->index = index;
    decoder->first = first;
    decoder->end = end;
    decoder->slot_count = wanted + 1;
    decoder->slots = memory_need(decoder->slot_count, sizeof *decoder->slots);
    pthread_mutex_init(&decoder->lock, NULL);
    pthread_cond_init(&decoder->moved, NULL);
    while (decoder->thread_count < wanted &&
           parallel_start_thread(&decoder->threads[decoder->thread_count], run, decoder))
        decoder->thread_count++;
    return decoder;
}

void frame_decoder_close(FrameDecoder *decoder) {
    if (!decoder) return;
    pthread_mutex_lock(&decoder->lock);
    decoder->closing = true;
    pthread_cond_broadcast(&decoder->moved);
    pthread_mutex_unlock(&decoder->lock);
    for (size_t i = 0; i < decoder->thread_count; i++)
        pthread_join(decoder->threads[i], NULL);
    pthread_cond_destroy(&decoder->moved);
    pthread_mutex_destroy(&decoder->lock);
    for (size_t i = 0; i < decoder->slot_count; i++) {
        free(decoder->slots[i].packed);
        free(decoder->slots[i].plain);
    }
    free(decoder->slots);
    ZSTD_freeDCtx(decoder->context);
    ZSTD_freeDCtx(decoder->large.context);
    if (decoder->large.hash) XXH3_freeState(decoder->large.hash);
    free(decoder->large.packed);
    free(decoder);
}

/* ---- Frames that the caller's thread decompresses, piece by piece ---- */

static bool open_large(LargeFrame *large, Error *error) {
    if (!large->context) {
        large->context = ZSTD_createDCtx();
        large->hash = XXH3_createState();
        large->packed = memory_need(PIECE_BYTES, 1);
    }
    if (!large->context || !large->hash) return error_set(error, "out of memory");
    ZSTD_DCtx_reset(large->context, ZSTD_reset_session_only);
    XXH3_64bits_reset(large->hash);
    large->in = (ZSTD_inBuffer){large->packed, 0, 0};
    large->read = large->plain = large->left = 0;
    large->open = true;
    return true;
}

static bool refill_large(const FrameDecoder *decoder, LargeFrame *large, const IndexFrame *frame,
                         Error *error) {
    const uint64_t rest = frame->size - large->read;
    large->in.size = rest < PIECE_BYTES ? (size_t)rest : PIECE_BYTES;
    large->in.pos = 0;
    if (!read_packed(decoder, frame, large->read, large->packed, large->in.size, error)) return false;
    large->read += large->in.size;
    return true;
}

/* *got = 0 behind the frame's last byte, once all of it has proved right. */
static bool read_large(FrameDecoder *decoder, const IndexFrame *frame, void *bytes, size_t room, size_t *got,
                       Error *error) {
    LargeFrame *large = &decoder->large;
    if (!large->open && !open_large(large, error)) return false;
    ZSTD_outBuffer out = {bytes, room, 0};
    while (!out.pos) {
        if (large->in.pos == large->in.size && large->read < frame->size &&
            !refill_large(decoder, large, frame, error))
            return false;
        if (large->in.pos == large->in.size && !large->left) break;
        const size_t before = large->in.pos;
        large->left = ZSTD_decompressStream(large->context, &out, &large->in);
        if (ZSTD_isError(large->left)) return damaged(decoder, frame, ZSTD_getErrorName(large->left), error);
        if (!out.pos && large->in.pos == before && large->read == frame->size) break;
    }
    XXH3_64bits_update(large->hash, bytes, out.pos);
    large->plain += out.pos;
    *got = out.pos;
    if (large->plain > frame->plain || (!out.pos && (large->left || large->plain != frame->plain ||
                                                     XXH3_64bits_digest(large->hash) != frame->hash)))
        return damaged(decoder, frame, "it is not the frame that the index describes", error);
    if (!out.pos) large->open = false;
    return true;
}

/* ---- Both ---- */

/* The first frame in the ring, when it is there; NULL behind the last. */
static Slot *wait_for_slot(FrameDecoder *decoder) {
    if (decoder->first + decoder->consumed == decoder->end) return NULL;
    Slot *slot = &decoder->slots[decoder->consumed % decoder->slot_count];
    pthread_mutex_lock(&decoder->lock);
    if (!decoder->thread_count && decoder->begun == decoder->consumed) {
        if (!decoder->context) decoder->context = ZSTD_createDCtx();
        fill(decoder, begin_slot(decoder), decoder->context);
        slot->done = true;
    }
    while (decoder->begun == decoder->consumed || !slot->done)
        pthread_cond_wait(&decoder->moved, &decoder->lock);
    pthread_mutex_unlock(&decoder->lock);
    return slot;
}

static void release_slot(FrameDecoder *decoder) {
    decoder->at = 0;
    pthread_mutex_lock(&decoder->lock);
    decoder->consumed++;
    pthread_cond_broadcast(&decoder->moved);
    pthread_mutex_unlock(&decoder->lock);
}

bool frame_decoder_read(FrameDecoder *decoder, void *bytes, size_t room, size_t *got, Error *error) {
    Slot *slot;
    *got = 0;
    while (!*got && (slot = wait_for_slot(decoder))) {
        if (slot->failed) {
            *error = slot->problem;
            return false;
        }
        if (slot->large) {
            if (!read_large(decoder, slot->frame, bytes, room, got, error)) return false;
        } else {
            const uint64_t left = slot->frame->plain - decoder->at;
            *got = left < room ? (size_t)left : room;
            memcpy(bytes, slot->plain + decoder->at, *got);
            decoder->at += *got;
        }
        if (slot->large ? !*got : decoder->at == slot->frame->plain) release_slot(decoder);
    }
    return true;
}

#include "stream/frame_encoder.h"

#include "core/memory.h"
#include "core/parallel.h"
#include "stream/index.h"
#include "stream/index_builder.h"

#include <string.h>
#include <unistd.h>
#include <xxhash.h>
/* For an allocator of our own: without memory for its workers, libzstd 1.5 crashes. */
#define ZSTD_STATIC_LINKING_ONLY
#include <zstd.h>

/* A frame ends with the record that makes it this large. */
#ifndef STREAM_FRAME_BYTES
#define STREAM_FRAME_BYTES ((size_t)4 << 20)
#endif

/* A frame that would become larger than this is not gathered, but compressed piece by piece as it comes. */
#ifndef STREAM_LARGE_BYTES
#define STREAM_LARGE_BYTES ((size_t)16 << 20)
#endif

enum { MAX_THREADS = 16, JOB_BYTES = 1 << 20 };

/* A frame on its way. */
typedef struct Slot {
    unsigned char *plain, *packed;
    size_t plain_size, plain_capacity, packed_size, packed_capacity;
    uint64_t hash, records;
    const char *problem; /* of zstd */
    bool done;           /* compressed; guarded by the lock */
} Slot;

/* A frame that is compressed as it comes. */
typedef struct LargeFrame {
    bool open;
    ZSTD_CCtx *context; /* NULL until there is one such frame */
    XXH3_state_t *hash;
    void *packed;
    size_t packed_capacity;
    uint64_t plain_size, packed_size;
} LargeFrame;

struct FrameEncoder {
    OutputFile *file;
    IndexBuilder *index;
    ContentHash *hash; /* of the segment … */
    size_t hashed;     /* … up to here in the slot being filled */
    int level;
    uint64_t records; /* in the frame being filled */
    FrameWatch watch;
    LargeFrame large;
    Slot *slots; /* a ring */
    size_t slot_count;
    size_t filled, begun, written; /* frames so far; the first two are guarded by the lock */
    pthread_t threads[MAX_THREADS];
    size_t thread_count; /* 0 until a frame is full: a small stream needs none */
    pthread_mutex_t lock;
    pthread_cond_t moved;
    bool closing;
    bool failed;
    Error problem; /* the first, once failed */
};

static size_t wanted_threads(void) {
    const int threads = parallel_threads();
    return threads < MAX_THREADS ? (size_t)threads : MAX_THREADS;
}

FrameEncoder *frame_encoder_create(OutputFile *file, Error *error) {
    if (isatty(fileno(output_file_stream(file)))) {
        error_set(error, "%s is a terminal, which a stream would garble; use -o FILE or a pipe",
                  output_file_name(file));
        return NULL;
    }
    FrameEncoder *encoder = memory_need(1, sizeof *encoder);
    encoder->file = file;
    encoder->index = index_builder_create();
    encoder->hash = content_hash_create();
    encoder->level = FRAME_DEFAULT_LEVEL;
    encoder->slot_count = wanted_threads() + 1;
    encoder->slots = memory_need(encoder->slot_count, sizeof *encoder->slots);
    pthread_mutex_init(&encoder->lock, NULL);
    pthread_cond_init(&encoder->moved, NULL);
    return encoder;
}

static void stop_threads(FrameEncoder *encoder) {
    pthread_mutex_lock(&encoder->lock);
    encoder->closing = true;
    pthread_cond_broadcast(&encoder->moved);
    pthread_mutex_unlock(&encoder->lock);
    for (size_t i = 0; i < encoder->thread_count; i++)
        pthread_join(encoder->threads[i], NULL);
}

void frame_encoder_destroy(FrameEncoder *encoder) {
    if (!encoder) return;
    stop_threads(encoder);
    pthread_cond_destroy(&encoder->moved);
    pthread_mutex_destroy(&encoder->lock);
    for (size_t i = 0; i < encoder->slot_count; i++) {
        free(encoder->slots[i].plain);
        free(encoder->slots[i].packed);
    }
    free(encoder->slots);
    ZSTD_freeCCtx(encoder->large.context);
    if (encoder->large.hash) XXH3_freeState(encoder->large.hash);
    free(encoder->large.packed);
    content_hash_destroy(encoder->hash);
    index_builder_destroy(encoder->index);
    free(encoder);
}

void frame_encoder_set_level(FrameEncoder *encoder, int level) {
    encoder->level = level;
}

void frame_encoder_watch(FrameEncoder *encoder, FrameWatch watch) {
    encoder->watch = watch;
}

const Error *frame_encoder_problem(const FrameEncoder *encoder) {
    return &encoder->problem;
}

static bool fail(FrameEncoder *encoder, const char *problem) {
    encoder->failed = true;
    return error_set(&encoder->problem, "cannot compress for %s: %s", output_file_name(encoder->file),
                     problem);
}

static bool fail_to_write(FrameEncoder *encoder) {
    encoder->failed = true;
    return error_set_errno(&encoder->problem, "cannot write %s", output_file_name(encoder->file));
}

static bool write_bytes(FrameEncoder *encoder, const void *bytes, size_t size) {
    return fwrite(bytes, 1, size, output_file_stream(encoder->file)) == size || fail_to_write(encoder);
}

/* All of a frame was written. */
static bool add_frame(FrameEncoder *encoder, const FrameWritten *frame) {
    index_builder_add_frame(encoder->index, frame->size, frame->plain, frame->hash, frame->records);
    encoder->failed =
        encoder->watch.written && !encoder->watch.written(encoder->watch.context, frame, &encoder->problem);
    return !encoder->failed;
}

/* ---- Frames that are gathered ---- */

/* On any thread. */
static void compress_slot(Slot *slot, ZSTD_CCtx *context, int level) {
    const size_t bound = ZSTD_compressBound(slot->plain_size);
    slot->packed = memory_grow(slot->packed, &slot->packed_capacity, bound, 1);
    slot->hash = index_hash(slot->plain, slot->plain_size);
    size_t size = context ? ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, level) : 0;
    if (context && !ZSTD_isError(size)) size = ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 1);
    if (context && !ZSTD_isError(size))
        size = ZSTD_compress2(context, slot->packed, bound, slot->plain, slot->plain_size);
    slot->problem = !context ? "out of memory" : ZSTD_isError(size) ? ZSTD_getErrorName(size) : NULL;
    slot->packed_size = slot->problem ? 0 : size;
}

static Slot *begin_slot(FrameEncoder *encoder) {
    pthread_mutex_lock(&encoder->lock);
    while (encoder->begun == encoder->filled && !encoder->closing)
        pthread_cond_wait(&encoder->moved, &encoder->lock);
    Slot *slot = encoder->closing ? NULL : &encoder->slots[encoder->begun++ % encoder->slot_count];
    pthread_mutex_unlock(&encoder->lock);
    return slot;
}

static void *run(void *data) {
    FrameEncoder *encoder = data;
    ZSTD_CCtx *context = ZSTD_createCCtx();
    Slot *slot;
    while ((slot = begin_slot(encoder))) {
        compress_slot(slot, context, encoder->level);
        pthread_mutex_lock(&encoder->lock);
        slot->done = true;
        pthread_cond_broadcast(&encoder->moved);
        pthread_mutex_unlock(&encoder->lock);
    }
    ZSTD_freeCCtx(context);
    return NULL;
}

/* Where none can be started, the caller's compresses. */
static void start_threads(FrameEncoder *encoder) {
    const size_t wanted = encoder->slot_count - 1;
    while (encoder->thread_count < wanted &&
           parallel_start_thread(&encoder->threads[encoder->thread_count], run, encoder))
        encoder->thread_count++;
}

/* Is the oldest frame compressed? With `wait`, it will be. */
static bool is_done(FrameEncoder *encoder, const Slot *slot, bool wait) {
    pthread_mutex_lock(&encoder->lock);
    while (wait && !slot->done)
        pthread_cond_wait(&encoder->moved, &encoder->lock);
    const bool done = slot->done;
    pthread_mutex_unlock(&encoder->lock);
    return done;
}

/* Writes the oldest frames: those that are ready, and in any case so many that at most `left` remain. */
static bool write_slots(FrameEncoder *encoder, size_t left) {
    while (encoder->filled > encoder->written) {
        Slot *slot = &encoder->slots[encoder->written % encoder->slot_count];
        if (!is_done(encoder, slot, encoder->filled - encoder->written > left)) break;
        if (slot->problem) return fail(encoder, slot->problem);
        if (!write_bytes(encoder, slot->packed, slot->packed_size)) return false;
        const FrameWritten frame = {slot->packed_size, slot->plain_size, slot->hash, slot->records};
        if (!add_frame(encoder, &frame)) return false;
        slot->done = false;
        slot->plain_size = 0;
        encoder->written++;
    }
    return true;
}

static Slot *current_slot(FrameEncoder *encoder) {
    return &encoder->slots[encoder->filled % encoder->slot_count];
}

static void hash_slot(FrameEncoder *encoder) {
    const Slot *slot = current_slot(encoder);
    content_hash_update(encoder->hash, slot->plain + encoder->hashed, slot->plain_size - encoder->hashed);
    encoder->hashed = slot->plain_size;
}

/* Hands the frame to the threads, or compresses it here where there are none. */
static bool end_slot(FrameEncoder *encoder) {
    Slot *slot = current_slot(encoder);
    hash_slot(encoder);
    slot->records = encoder->records;
    if (!encoder->thread_count) {
        ZSTD_CCtx *context = ZSTD_createCCtx();
        compress_slot(slot, context, encoder->level);
        ZSTD_freeCCtx(context);
        slot->done = true;
    }
    pthread_mutex_lock(&encoder->lock);
    encoder->filled++;
    if (!encoder->thread_count) encoder->begun++;
    pthread_cond_broadcast(&encoder->moved);
    pthread_mutex_unlock(&encoder->lock);
    encoder->records = encoder->hashed = 0;
    return write_slots(encoder, encoder->slot_count - 1);
}

/* ---- Frames that are compressed as they come ---- */

static bool compress_large(FrameEncoder *encoder, const void *bytes, size_t size, ZSTD_EndDirective end) {
    LargeFrame *large = &encoder->large;
    ZSTD_inBuffer in = {bytes, size, 0};
    size_t left;
    content_hash_update(encoder->hash, bytes, size);
    if (size) XXH3_64bits_update(large->hash, bytes, size);
    large->plain_size += size;
    do {
        ZSTD_outBuffer out = {large->packed, large->packed_capacity, 0};
        left = ZSTD_compressStream2(large->context, &out, &in, end);
        if (ZSTD_isError(left)) return fail(encoder, ZSTD_getErrorName(left));
        if (!write_bytes(encoder, out.dst, out.pos)) return false;
        large->packed_size += out.pos;
    } while (end == ZSTD_e_end ? left > 0 : in.pos < in.size);
    return true;
}

static void *take_memory(void *context, size_t size) {
    (void)context;
    return memory_take(size);
}

static void give_memory(void *context, void *block) {
    (void)context;
    free(block);
}

/* The size of the jobs decides on the bytes, the number of workers does not. */
static bool prepare_large(FrameEncoder *encoder) {
    LargeFrame *large = &encoder->large;
    const struct {
        ZSTD_cParameter parameter;
        int value;
    } settings[] = {
        {ZSTD_c_compressionLevel, encoder->level},
        {ZSTD_c_checksumFlag, 1},
        {ZSTD_c_nbWorkers, (int)encoder->slot_count - 1},
        {ZSTD_c_jobSize, JOB_BYTES},
    };
    if (large->context) return true;
    large->context = ZSTD_createCCtx_advanced((ZSTD_customMem){take_memory, give_memory, NULL});
    large->hash = XXH3_createState();
    large->packed_capacity = ZSTD_CStreamOutSize();
    large->packed = memory_need(large->packed_capacity, 1);
    bool fine = large->context && large->hash;
    for (size_t i = 0; fine && i < sizeof settings / sizeof *settings; i++)
        fine =
            !ZSTD_isError(ZSTD_CCtx_setParameter(large->context, settings[i].parameter, settings[i].value));
    return fine || fail(encoder, "libzstd cannot be set up (out of memory, or built without threads)");
}

/* What the slot has gathered of the frame goes first. */
static bool start_large(FrameEncoder *encoder) {
    Slot *slot = current_slot(encoder);
    if (!write_slots(encoder, 0) || !prepare_large(encoder)) return false;
    XXH3_64bits_reset(encoder->large.hash);
    encoder->large.open = true;
    encoder->large.plain_size = encoder->large.packed_size = 0;
    const size_t size = slot->plain_size;
    slot->plain_size = encoder->hashed = 0;
    return compress_large(encoder, slot->plain, size, ZSTD_e_continue);
}

static bool end_large(FrameEncoder *encoder) {
    LargeFrame *large = &encoder->large;
    if (!compress_large(encoder, NULL, 0, ZSTD_e_end)) return false;
    const FrameWritten frame = {large->packed_size, large->plain_size, XXH3_64bits_digest(large->hash),
                                encoder->records};
    large->open = false;
    encoder->records = 0;
    return add_frame(encoder, &frame);
}

/* ---- Both ---- */

bool frame_encoder_put(FrameEncoder *encoder, const void *bytes, size_t size) {
    if (encoder->failed) return false;
    Slot *slot = current_slot(encoder);
    if (!encoder->large.open && size > STREAM_LARGE_BYTES - slot->plain_size && !start_large(encoder))
        return false;
    if (encoder->large.open) return compress_large(encoder, bytes, size, ZSTD_e_continue);
    slot->plain = memory_grow(slot->plain, &slot->plain_capacity, slot->plain_size + size, 1);
    if (size) memcpy(slot->plain + slot->plain_size, bytes, size);
    slot->plain_size += size;
    return true;
}

bool frame_encoder_end_record(FrameEncoder *encoder, const void *key, size_t key_size) {
    if (encoder->failed) return false;
    index_builder_add_key(encoder->index, key, key_size);
    encoder->records++;
    if (encoder->large.open) return end_large(encoder);
    if (current_slot(encoder)->plain_size < STREAM_FRAME_BYTES) return true;
    if (!encoder->thread_count) start_threads(encoder);
    return end_slot(encoder);
}

void frame_encoder_hash(FrameEncoder *encoder, char text[CONTENT_HASH_TEXT]) {
    hash_slot(encoder);
    content_hash_text(encoder->hash, text);
}

void frame_encoder_pass(FrameEncoder *encoder, const void *bytes, size_t size) {
    content_hash_update(encoder->hash, bytes, size);
}

void frame_encoder_pass_key(FrameEncoder *encoder, const void *key, size_t key_size) {
    index_builder_add_key(encoder->index, key, key_size);
}

void frame_encoder_pass_frame(FrameEncoder *encoder, const FrameWritten *frame) {
    index_builder_add_frame(encoder->index, frame->size, frame->plain, frame->hash, frame->records);
}

bool frame_encoder_end_segment(FrameEncoder *encoder, const void *end, size_t size) {
    encoder->watch = (FrameWatch){0}; /* the end map is no record's */
    if (!frame_encoder_put(encoder, end, size)) return false;
    if (!(encoder->large.open ? end_large(encoder) : end_slot(encoder)) || !write_slots(encoder, 0))
        return false;
    content_hash_reset(encoder->hash);
    return index_builder_write(encoder->index, output_file_stream(encoder->file), end, size) ||
           fail_to_write(encoder);
}

#include "device.h"
#include "table.h"

#include <cstring>
#include <vector>

/* Memory that is there twice: the host's, pinned, and the card's. What is added goes to the same place in
 * both; what was added since the last time travels in a stream of its own when commands are sent, while those
 * before are still computed. */

enum { FIRST_BYTES = 1 << 20, ALIGNMENT = 256 };

typedef struct Chunk {
    unsigned char *pinned, *card;
    size_t size, used, sent;
} Chunk;

/* What is added between two restarts: a single chunk, once it is known how much that is. */
typedef struct Side {
    std::vector<Chunk> chunks;
    cudaEvent_t done; /* all that reads it */
} Side;

struct Staging {
    Side sides[2];
    unsigned current;
    cudaEvent_t arrived;
};

/* ---- Chunks ---- */

/* The stream of uploads. */
static cudaStream_t upload_stream() {
    static cudaStream_t stream;
    if (!stream)
        device_check(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), "cudaStreamCreateWithFlags");
    return stream;
}

static Chunk create_chunk(size_t size) {
    void *pinned, *card = device_take(size, upload_stream());
    device_check(cudaMallocHost(&pinned, size), "cudaMallocHost");
    return {static_cast<unsigned char *>(pinned), static_cast<unsigned char *>(card), size, 0, 0};
}

/* Nothing reads them any more. */
static void destroy_chunks(Side &side) {
    for (const Chunk &chunk : side.chunks) {
        device_check(cudaFreeHost(chunk.pinned), "cudaFreeHost");
        device_check(cudaFreeAsync(chunk.card, upload_stream()), "cudaFreeAsync");
    }
    side.chunks.clear();
}

static Chunk &chunk_with_room(Side &side, size_t bytes) {
    const size_t last = side.chunks.empty() ? FIRST_BYTES / 2 : side.chunks.back().size;
    if (side.chunks.empty() || side.chunks.back().size - side.chunks.back().used < bytes)
        side.chunks.push_back(create_chunk(bytes < 2 * last ? 2 * last : bytes));
    return side.chunks.back();
}

static void make_one_chunk(Side &side) {
    size_t size = 0;
    for (const Chunk &chunk : side.chunks)
        size += chunk.size;
    if (side.chunks.size() > 1) {
        destroy_chunks(side);
        side.chunks.push_back(create_chunk(size));
    }
    if (size) side.chunks.back().used = side.chunks.back().sent = 0;
}

/* ---- Events ---- */

static cudaEvent_t create_event() {
    cudaEvent_t event;
    device_check(cudaEventCreateWithFlags(&event, cudaEventDisableTiming), "cudaEventCreateWithFlags");
    return event;
}

static void wait_for(cudaEvent_t event) {
    const cudaError_t state = cudaEventQuery(event);
    if (state == cudaErrorNotReady)
        device_wait(event);
    else
        device_check(state, "cudaEventQuery");
}

/* ---- Staging ---- */

static Staging *create() {
    Staging *staging = new Staging();
    staging->sides[0].done = create_event();
    staging->sides[1].done = create_event();
    staging->arrived = create_event();
    return staging;
}

/* What was called so far may still read it, and nothing else will. */
static void leave(const Side &side) {
    device_send();
    device_check(cudaEventRecord(side.done, device_stream()), "cudaEventRecord");
}

static void destroy(Staging *staging) {
    leave(staging->sides[staging->current]);
    for (Side &side : staging->sides) {
        wait_for(side.done);
        destroy_chunks(side);
        device_check(cudaEventDestroy(side.done), "cudaEventDestroy");
    }
    device_check(cudaEventDestroy(staging->arrived), "cudaEventDestroy");
    delete staging;
}

/* Before the commands that are held, on the way to the card. */
static void deliver(void *context) {
    Staging *staging = static_cast<Staging *>(context);
    for (Chunk &chunk : staging->sides[staging->current].chunks) {
        if (chunk.sent == chunk.used) continue;
        device_check(cudaMemcpyAsync(chunk.card + chunk.sent, chunk.pinned + chunk.sent,
                                     chunk.used - chunk.sent, cudaMemcpyHostToDevice, upload_stream()),
                     "cudaMemcpyAsync");
        chunk.sent = chunk.used;
    }
    device_check(cudaEventRecord(staging->arrived, upload_stream()), "cudaEventRecord");
    device_check(cudaStreamWaitEvent(device_stream(), staging->arrived, 0), "cudaStreamWaitEvent");
}

static const void *add(Staging *staging, size_t bytes, const void *from) {
    device_hold(deliver, staging);
    Chunk &chunk = chunk_with_room(staging->sides[staging->current], bytes);
    const size_t place = chunk.used;
    if (bytes) memcpy(chunk.pinned + place, from, bytes);
    chunk.used += smaller(divide_up(bytes, ALIGNMENT) * ALIGNMENT, chunk.size - place);
    return chunk.card + place;
}

/* The other side is free when all that reads it has been done: as a rule it has, a restart ago. */
static void restart(Staging *staging) {
    leave(staging->sides[staging->current]);
    staging->current ^= 1;
    Side &side = staging->sides[staging->current];
    wait_for(side.done);
    make_one_chunk(side);
}

const StagingKernels cuda_staging = {create, destroy, restart, add};

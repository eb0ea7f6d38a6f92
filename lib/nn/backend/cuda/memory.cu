#include "device.h"
#include "table.h"

#include <cstring>

/* What is uploaded goes over a ring of slots, each in the host's pinned memory and once more on the card. It
 * travels to the card in a stream of its own, while what was queued before is still computed, and is moved to
 * its place when its turn comes in the common stream. The host waits only where it is a whole ring ahead. */
enum { SLOTS = 16, SLOT_BYTES = 4 << 20, SMALL_BYTES = 64 << 10 };

typedef struct Slot {
    unsigned char *pinned, *card;
    cudaEvent_t arrived, moved; /* the last piece in it: to the card, to its place */
} Slot;

typedef struct Ring {
    Slot slots[SLOTS];
    cudaStream_t stream;
    size_t current, used;
} Ring;

static Ring ring;

static void open_slot(Slot *slot) {
    void *pinned, *card;
    if (!ring.stream)
        device_check(cudaStreamCreateWithFlags(&ring.stream, cudaStreamNonBlocking),
                     "cudaStreamCreateWithFlags");
    device_check(cudaMallocHost(&pinned, SLOT_BYTES), "cudaMallocHost");
    device_check(cudaMalloc(&card, SLOT_BYTES), "cudaMalloc");
    slot->pinned = static_cast<unsigned char *>(pinned);
    slot->card = static_cast<unsigned char *>(card);
    device_check(cudaEventCreateWithFlags(&slot->arrived, cudaEventDisableTiming),
                 "cudaEventCreateWithFlags");
    device_check(cudaEventCreateWithFlags(&slot->moved, cudaEventDisableTiming), "cudaEventCreateWithFlags");
}

/* A slot that has room for `bytes` behind ring.used. */
static Slot *find_slot(size_t bytes) {
    if (ring.used + bytes > SLOT_BYTES) {
        ring.current = (ring.current + 1) % SLOTS;
        ring.used = 0;
    }
    Slot *slot = &ring.slots[ring.current];
    if (!slot->pinned)
        open_slot(slot);
    else if (!ring.used)
        device_check(cudaEventSynchronize(slot->moved), "cudaEventSynchronize");
    return slot;
}

static void upload_piece(size_t bytes, const unsigned char *from, unsigned char *to) {
    const Slot *slot = find_slot(bytes);
    unsigned char *pinned = slot->pinned + ring.used, *card = slot->card + ring.used;
    memcpy(pinned, from, bytes);
    if (bytes > SMALL_BYTES) {
        device_check(cudaMemcpyAsync(card, pinned, bytes, cudaMemcpyHostToDevice, ring.stream),
                     "cudaMemcpyAsync");
        device_check(cudaEventRecord(slot->arrived, ring.stream), "cudaEventRecord");
        device_check(cudaStreamWaitEvent(device_stream(), slot->arrived, 0), "cudaStreamWaitEvent");
        device_check(cudaMemcpyAsync(to, card, bytes, cudaMemcpyDeviceToDevice, device_stream()),
                     "cudaMemcpyAsync");
    } else {
        device_check(cudaMemcpyAsync(to, pinned, bytes, cudaMemcpyHostToDevice, device_stream()),
                     "cudaMemcpyAsync");
    }
    device_check(cudaEventRecord(slot->moved, device_stream()), "cudaEventRecord");
    ring.used += divide_up(bytes, 256) * 256;
}

static void upload(size_t bytes, const void *from_, void *to_) {
    const unsigned char *from = static_cast<const unsigned char *>(from_);
    unsigned char *to = static_cast<unsigned char *>(to_);
    for (size_t done = 0; done < bytes; done += SLOT_BYTES)
        upload_piece(smaller(bytes - done, SLOT_BYTES), from + done, to + done);
}

static void download(size_t bytes, const void *from, void *to) {
    if (!bytes) return;
    device_check(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToHost, device_stream()),
                 "cudaMemcpyAsync");
    device_check(cudaStreamSynchronize(device_stream()), "cudaStreamSynchronize");
}

static void copy(size_t bytes, const void *from, void *to) {
    if (bytes)
        device_check(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToDevice, device_stream()),
                     "cudaMemcpyAsync");
}

static void fill(size_t count, float value, float *to) {
    each(count, [=] __device__(size_t i) { to[i] = value; });
}

static void release(void *memory, size_t) {
    device_release(memory);
}

const MemoryKernels cuda_memory = {device_take, release, fill, copy, upload, download};

#include "device.h"
#include "table.h"

#include <cstring>
#include <vector>

static void copy(size_t bytes, const void *from, void *to) {
    if (bytes)
        device_queue([=] {
            device_check(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToDevice, device_stream()),
                         "cudaMemcpyAsync");
        });
}

static void fill(size_t count, float value, float *to) {
    each(count, [=] __device__(size_t i) { to[i] = value; });
}

static void release(void *memory, size_t) {
    device_release(memory);
}

/* Over pinned memory, in pieces that are copied to their place in the stream. */
static void upload(size_t bytes, const void *from_, void *to_) {
    enum { PIECE = 4 << 20 };
    static Staging *staging = cuda_staging.create();
    static size_t waiting;
    const unsigned char *from = static_cast<const unsigned char *>(from_);
    unsigned char *to = static_cast<unsigned char *>(to_);
    for (size_t done = 0; done < bytes; done += PIECE) {
        const size_t piece = smaller(bytes - done, PIECE);
        if ((waiting += piece) > 2 * PIECE) {
            cuda_staging.restart(staging);
            waiting = piece;
        }
        copy(piece, cuda_staging.add(staging, piece, from + done), to + done);
    }
}

static void download(size_t bytes, const void *from, void *to) {
    device_send();
    if (!bytes) return;
    device_check(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToHost, device_stream()),
                 "cudaMemcpyAsync");
    device_wait_for_all();
}

/* ---- Letters: small things on their way to the host ---- */

enum { LETTERS_BYTES = 4096 };

typedef struct Letter {
    size_t place, bytes;
    void *to;
} Letter;

typedef struct Letters {
    unsigned char *pinned;
    cudaEvent_t arrived; /* the last one */
    std::vector<Letter> list;
    size_t used;
} Letters;

static Letters &letters() {
    static Letters *all; /* as long as the program */
    if (!all) {
        void *pinned;
        all = new Letters();
        device_check(cudaMallocHost(&pinned, LETTERS_BYTES), "cudaMallocHost");
        all->pinned = static_cast<unsigned char *>(pinned);
        device_check(cudaEventCreateWithFlags(&all->arrived, cudaEventDisableTiming),
                     "cudaEventCreateWithFlags");
    }
    return *all;
}

static void collect() {
    Letters &all = letters();
    if (all.list.empty()) return;
    device_send();
    device_wait(all.arrived);
    for (const Letter &letter : all.list)
        memcpy(letter.to, all.pinned + letter.place, letter.bytes);
    all.list.clear();
    all.used = 0;
}

static void post(size_t bytes, const void *from, void *to) {
    Letters &all = letters();
    if (all.used + bytes > LETTERS_BYTES) device_give_up("letters of %zu bytes", all.used + bytes);
    unsigned char *place = all.pinned + all.used;
    all.list.push_back({all.used, bytes, to});
    all.used += bytes;
    device_queue([=] {
        device_check(cudaMemcpyAsync(place, from, bytes, cudaMemcpyDeviceToHost, device_stream()),
                     "cudaMemcpyAsync");
        device_check(cudaEventRecord(letters().arrived, device_stream()), "cudaEventRecord");
    });
}

const MemoryKernels cuda_memory = {device_take, release,     fill, copy,   upload,
                                   download,    device_send, post, collect};

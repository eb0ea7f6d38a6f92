#include "device.h"

#include <cstdarg>
#include <cstdio>
#include <thread>
#include <vector>

typedef struct Device {
    void (*give_up)(const char *message);
    cudaStream_t stream;
    size_t blocks;
    void *room;
    size_t room_bytes;
    void (*look)(); /* while the host waits; or NULL */
} Device;

static Device device;

void device_give_up(const char *format, ...) {
    char message[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    device.give_up(message);
    abort();
}

void device_check(cudaError_t result, const char *what) {
    if (result != cudaSuccess) device_give_up("the card failed in %s: %s", what, cudaGetErrorString(result));
}

static bool refuse(char *message, size_t size, const char *text) {
    snprintf(message, size, "%s", text);
    return false;
}

static bool find_card(int number, char *message, size_t size) {
    int count = 0;
    const cudaError_t result = cudaGetDeviceCount(&count);
    if (result == cudaErrorInsufficientDriver)
        return refuse(message, size, "there is no NVIDIA driver, or it is older than this CUDA needs");
    if (result == cudaErrorNoDevice || (result == cudaSuccess && !count))
        return refuse(message, size, "the driver finds no card");
    if (result != cudaSuccess) return refuse(message, size, cudaGetErrorString(result));
    if (number < count) return true;
    snprintf(message, size, "there is no card %d; cards are counted from 0, and there are %d", number, count);
    return false;
}

/* The oldest that the plug-in holds code for. */
enum { OLDEST_MAJOR = 8 };

static bool is_new_enough(int number, char *message, size_t size) {
    int major, minor;
    device_check(cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, number),
                 "cudaDeviceGetAttribute");
    device_check(cudaDeviceGetAttribute(&minor, cudaDevAttrComputeCapabilityMinor, number),
                 "cudaDeviceGetAttribute");
    if (major >= OLDEST_MAJOR) return true;
    snprintf(message, size, "card %d has compute capability %d.%d, and %d.0 (cards since 2020) is needed",
             number, major, minor, OLDEST_MAJOR);
    return false;
}

/* Freed memory stays with the program, so that what is taken again costs nothing. */
static void keep_freed_memory(int number) {
    cudaMemPool_t pool;
    uint64_t most = UINT64_MAX;
    device_check(cudaDeviceGetDefaultMemPool(&pool, number), "cudaDeviceGetDefaultMemPool");
    device_check(cudaMemPoolSetAttribute(pool, cudaMemPoolAttrReleaseThreshold, &most),
                 "cudaMemPoolSetAttribute");
}

bool device_open(int number, void (*give_up)(const char *message), char *message, size_t size) {
    int processors;
    device.give_up = give_up;
    if (device.blocks) return true;
    if (!find_card(number, message, size) || !is_new_enough(number, message, size)) return false;
    device_check(cudaSetDevice(number), "cudaSetDevice");
    device_check(cudaDeviceGetAttribute(&processors, cudaDevAttrMultiProcessorCount, number),
                 "cudaDeviceGetAttribute");
    device_check(cudaStreamCreateWithFlags(&device.stream, cudaStreamNonBlocking),
                 "cudaStreamCreateWithFlags");
    keep_freed_memory(number);
    device.blocks = static_cast<size_t>(processors) * 16;
    return true;
}

cudaStream_t device_stream() {
    return device.stream;
}

size_t device_blocks() {
    return device.blocks;
}

void *device_take(size_t bytes, cudaStream_t stream) {
    void *memory = nullptr;
    const cudaError_t result = bytes ? cudaMallocAsync(&memory, bytes, stream) : cudaSuccess;
    if (result == cudaErrorMemoryAllocation) {
        size_t left = 0, total = 0;
        cudaMemGetInfo(&left, &total);
        device_give_up(
            "the card has no %zu MiB more; of its %zu MiB, %zu are left. Training takes less with a smaller "
            "--batch-size or --dtype bf16, an encoder with --compute bf16",
            (bytes >> 20) + 1, total >> 20, left >> 20);
    }
    device_check(result, "cudaMallocAsync");
    return memory;
}

void *device_take(size_t bytes) {
    return device_take(bytes, device.stream);
}

void device_release(void *memory) {
    if (memory) device_queue([=] { device_check(cudaFreeAsync(memory, device.stream), "cudaFreeAsync"); });
}

/* ---- Waiting ---- */

void device_look(void (*look)()) {
    device.look = look;
}

template <typename Query> static void wait_until_done(Query query, const char *what) {
    cudaError_t state;
    while ((state = query()) == cudaErrorNotReady) {
        device.look();
        std::this_thread::yield();
    }
    device_check(state, what);
}

void device_wait(cudaEvent_t event) {
    if (device.look)
        wait_until_done([=] { return cudaEventQuery(event); }, "cudaEventQuery");
    else
        device_check(cudaEventSynchronize(event), "cudaEventSynchronize");
}

void device_wait_for_all() {
    if (device.look)
        wait_until_done([] { return cudaStreamQuery(device.stream); }, "cudaStreamQuery");
    else
        device_check(cudaStreamSynchronize(device.stream), "cudaStreamSynchronize");
}

/* ---- Commands that are held ---- */

typedef struct Held {
    void (*deliver)(void *context); /* NULL: none are */
    void *context;
    std::vector<std::function<void()>> commands;
} Held;

static Held &held() {
    static Held *all = new Held(); /* as long as the program */
    return *all;
}

bool device_holds() {
    return held().deliver;
}

void device_keep(std::function<void()> command) {
    held().commands.push_back(std::move(command));
}

void device_hold(void (*deliver)(void *context), void *context) {
    if (device_holds() && held().context != context) device_send();
    held().deliver = deliver;
    held().context = context;
}

void device_send() {
    if (!device_holds()) return;
    void (*deliver)(void *context) = held().deliver;
    held().deliver = nullptr;
    deliver(held().context);
    for (const std::function<void()> &command : held().commands)
        command();
    held().commands.clear();
}

void *device_room(size_t bytes) {
    if (bytes > device.room_bytes) {
        device_release(device.room);
        device.room = device_take(bytes);
        device.room_bytes = bytes;
    }
    return device.room;
}

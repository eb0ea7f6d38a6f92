/* What the backend uses of the CUDA runtime, on the host: the same sources compile with g++ against this
 * header. There is one card, whose memory is the host's. New memory holds NaNs. */
#ifndef CUDA_ON_HOST_RUNTIME_H
#define CUDA_ON_HOST_RUNTIME_H

#include "card_memory.h"
#include "counts.h"
#include "fibers.h"
#include "streams.h"

#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <tuple>
#include <type_traits>

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline
#define __launch_bounds__(...)
#define __grid_constant__
#define __align__(bytes) alignas(bytes)
/* In a function this is a static: one for each of the host's threads, which run a block each. */
#define __shared__ thread_local

using std::isfinite;
using std::isnan;

struct alignas(16) float4 {
    float x, y, z, w;
};

static inline float4 make_float4(float x, float y, float z, float w) {
    return {x, y, z, w};
}

static inline float rsqrtf(float x) {
    return 1.0f / sqrtf(x);
}

static inline float normcdff(float x) {
    return 0.5f * erfcf(-0.707106781f * x);
}

static inline unsigned __float_as_uint(float x) {
    unsigned bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

static inline float __uint_as_float(unsigned bits) {
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* ---- Threads that work together ---- */

static inline void __syncthreads() {
    fibers_block_barrier();
}

static inline void __syncwarp() {
    fibers_warp_barrier();
}

/* Whether any thread of the block says so. */
static inline int __syncthreads_or(int own) {
    static thread_local int any; /* of a block, as what it shares */
    fibers_block_barrier();
    any = 0;
    fibers_block_barrier();
    if (own) any = 1;
    fibers_block_barrier();
    return any;
}

/* Of what a block shares: it runs in one of the host's threads. */
static inline unsigned atomicAdd(unsigned *place, unsigned value) {
    const unsigned before = *place;
    *place += value;
    return before;
}

template <typename T> static inline T fibers_take(T own, unsigned lane) {
    static_assert(sizeof(T) <= sizeof(uint64_t) && std::is_trivially_copyable<T>::value, "not of a register");
    uint64_t word = 0;
    memcpy(&word, &own, sizeof own);
    const uint64_t *words = fibers_exchange(&word, 1);
    memcpy(&own, words + lane % 32 * FIBERS_MOST_WORDS, sizeof own);
    return own;
}

static inline unsigned fibers_lane() {
    return (threadIdx.x + blockDim.x * (threadIdx.y + blockDim.y * threadIdx.z)) % 32;
}

/* All lanes take part, as the backend always has them do. */
template <typename T> static inline T __shfl_sync(unsigned, T value, int lane) {
    return fibers_take(value, static_cast<unsigned>(lane));
}

template <typename T> static inline T __shfl_xor_sync(unsigned, T value, int mask) {
    return fibers_take(value, fibers_lane() ^ static_cast<unsigned>(mask));
}

/* ---- The runtime ---- */

enum cudaError_t {
    cudaSuccess,
    cudaErrorMemoryAllocation = 2,
    cudaErrorInsufficientDriver = 35,
    cudaErrorNoDevice = 100,
    cudaErrorInvalidDevice = 101,
    cudaErrorNotReady = 600
};
enum cudaMemcpyKind { cudaMemcpyHostToDevice = 1, cudaMemcpyDeviceToHost, cudaMemcpyDeviceToDevice };
enum { cudaStreamNonBlocking = 1, cudaEventDisableTiming = 2 };
enum cudaDeviceAttr {
    cudaDevAttrMultiProcessorCount = 16,
    cudaDevAttrComputeCapabilityMajor = 75,
    cudaDevAttrComputeCapabilityMinor = 76
};
enum cudaMemPoolAttr { cudaMemPoolAttrReleaseThreshold = 4 };
typedef struct CudaOnHostPool *cudaMemPool_t;

static inline const char *cudaGetErrorString(cudaError_t error) {
    return error == cudaSuccess                 ? "no error"
           : error == cudaErrorMemoryAllocation ? "out of memory"
                                                : "no such device";
}

static inline cudaError_t cudaGetLastError() {
    return cudaSuccess;
}

static inline cudaError_t cudaMalloc(void **memory, size_t bytes) {
    *memory = bytes ? card_memory_take(bytes) : nullptr;
    return *memory || !bytes ? cudaSuccess : cudaErrorMemoryAllocation;
}

static inline cudaError_t cudaFree(void *memory) {
    card_memory_release(memory);
    return cudaSuccess;
}

/* Memory that is still to be released may be needed. */
static inline cudaError_t cudaMallocAsync(void **memory, size_t bytes, cudaStream_t) {
    if (cudaMalloc(memory, bytes) == cudaSuccess) return cudaSuccess;
    streams_finish();
    return cudaMalloc(memory, bytes);
}

static inline cudaError_t cudaFreeAsync(void *memory, cudaStream_t stream) {
    stream_queue(stream, [=] { card_memory_release(memory); });
    return cudaSuccess;
}

static inline cudaError_t cudaMemGetInfo(size_t *left, size_t *total) {
    card_memory_count(left, total);
    return cudaSuccess;
}

static inline cudaError_t cudaDeviceGetDefaultMemPool(cudaMemPool_t *pool, int) {
    *pool = nullptr;
    return cudaSuccess;
}

static inline cudaError_t cudaMemPoolSetAttribute(cudaMemPool_t, cudaMemPoolAttr, void *) {
    return cudaSuccess;
}

static inline cudaError_t cudaMallocHost(void **memory, size_t bytes) {
    *memory = aligned_alloc(256, (bytes + 255) / 256 * 256);
    return *memory ? cudaSuccess : cudaErrorMemoryAllocation;
}

static inline cudaError_t cudaFreeHost(void *memory) {
    free(memory);
    return cudaSuccess;
}

static inline cudaError_t cudaMemcpyAsync(void *to, const void *from, size_t bytes, cudaMemcpyKind kind,
                                          cudaStream_t stream) {
    Transfers &transfers = kind == cudaMemcpyHostToDevice   ? counts().up
                           : kind == cudaMemcpyDeviceToHost ? counts().down
                                                            : counts().within;
    transfers.calls++;
    transfers.bytes += bytes;
    if (bytes) stream_queue(stream, [=] { memmove(to, from, bytes); });
    return cudaSuccess;
}

static inline cudaError_t cudaStreamCreateWithFlags(cudaStream_t *stream, unsigned) {
    *stream = stream_create();
    return cudaSuccess;
}

static inline cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
    counts().waits++;
    stream_finish(stream);
    return cudaSuccess;
}

static inline cudaError_t cudaStreamQuery(cudaStream_t stream) {
    return stream_is_done(stream) ? cudaSuccess : cudaErrorNotReady;
}

static inline cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned) {
    stream_wait(stream, event);
    return cudaSuccess;
}

static inline cudaError_t cudaEventCreateWithFlags(cudaEvent_t *event, unsigned) {
    *event = event_create();
    return cudaSuccess;
}

static inline cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
    event_record(event, stream);
    return cudaSuccess;
}

static inline cudaError_t cudaEventDestroy(cudaEvent_t event) {
    event_destroy(event);
    return cudaSuccess;
}

static inline cudaError_t cudaEventQuery(cudaEvent_t event) {
    return event_is_done(event) ? cudaSuccess : cudaErrorNotReady;
}

static inline cudaError_t cudaEventSynchronize(cudaEvent_t event) {
    counts().waits++;
    event_finish(event);
    return cudaSuccess;
}

static inline cudaError_t cudaGetDeviceCount(int *count) {
    *count = 1;
    return cudaSuccess;
}

static inline cudaError_t cudaSetDevice(int device) {
    return device == 0 ? cudaSuccess : cudaErrorInvalidDevice;
}

/* Its compute capability is that of the environment variable PM_CUDA_CAPABILITY, or 8.0. */
static inline cudaError_t cudaDeviceGetAttribute(int *value, cudaDeviceAttr what, int) {
    const char *capability = getenv("PM_CUDA_CAPABILITY");
    if (what == cudaDevAttrMultiProcessorCount)
        *value = 2;
    else if (what == cudaDevAttrComputeCapabilityMajor)
        *value = capability ? atoi(capability) : 8;
    else
        *value = capability && strchr(capability, '.') ? atoi(strchr(capability, '.') + 1) : 0;
    return cudaSuccess;
}

struct cudaLaunchConfig_t {
    dim3 gridDim, blockDim;
    size_t dynamicSmemBytes;
    cudaStream_t stream;
    void *attrs;
    unsigned numAttrs;
};

template <typename... Parameters, typename... Arguments>
static inline cudaError_t cudaLaunchKernelEx(const cudaLaunchConfig_t *config, void (*kernel)(Parameters...),
                                             Arguments &&...arguments) {
    counts().launches++;
    if (counts().dry) return cudaSuccess;
    const std::tuple<Parameters...> values(arguments...);
    stream_queue(config->stream, [=, launched = *config] {
        auto body = [&] { std::apply(kernel, values); };
        fibers_run(
            launched.gridDim, launched.blockDim, launched.dynamicSmemBytes,
            [](void *context) { (*static_cast<decltype(body) *>(context))(); }, &body);
    });
    return cudaSuccess;
}

#endif

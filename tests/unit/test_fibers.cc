/* Kernels on the host: barriers, shuffles, and what a mistake in them does. */
#include "check.h"

#include <cuda_runtime.h>

#include <cstdio>
#include <string>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

extern __shared__ float dynamic_shared[];

template <typename... Parameters, typename... Arguments>
static void launch(dim3 blocks, unsigned threads, size_t shared, void (*kernel)(Parameters...),
                   Arguments... arguments) {
    const cudaLaunchConfig_t config = {blocks, dim3(threads), shared, nullptr, nullptr, 0};
    CHECK(cudaLaunchKernelEx(&config, kernel, arguments...) == cudaSuccess);
}

static void set_seed(uint64_t seed) {
    setenv("PM_FIBER_SEED", std::to_string(seed).c_str(), 1);
}

static void write_place(unsigned *to) {
    const unsigned block = blockIdx.x + gridDim.x * (blockIdx.y + gridDim.y * blockIdx.z);
    to[block * blockDim.x + threadIdx.x] += block * blockDim.x + threadIdx.x + 1;
}

static void runs_each_thread_once(void) {
    const size_t count = 7 * 3 * 2 * 160;
    std::vector<unsigned> places(count);
    launch(dim3(7, 3, 2), 160, 0, write_place, places.data());
    for (size_t i = 0; i < count; i++)
        CHECK(places[i] == i + 1);
}

/* The sum of the numbers of the block's threads, by halves in shared memory. */
template <bool waits> static void sum_threads(float *sums) {
    float *const parts = dynamic_shared;
    parts[threadIdx.x] = (float)threadIdx.x;
    for (unsigned half = blockDim.x / 2; half; half /= 2) {
        if (waits || half > 32) __syncthreads();
        if (threadIdx.x < half) parts[threadIdx.x] += parts[threadIdx.x + half];
    }
    if (threadIdx.x == 0) sums[blockIdx.x] = parts[0];
}

static unsigned count_wrong_sums(void (*kernel)(float *), unsigned threads) {
    unsigned wrong = 0;
    for (uint64_t seed = 0; seed < 20; seed++) {
        float sums[9];
        set_seed(seed);
        launch(9, threads, threads * sizeof(float), kernel, sums);
        for (unsigned i = 0; i < 9; i++)
            wrong += !(sums[i] == (float)(threads * (threads - 1) / 2));
    }
    return wrong;
}

static void waits_at_barriers(void) {
    for (unsigned threads = 32; threads <= 1024; threads *= 2)
        CHECK(count_wrong_sums(sum_threads<true>, threads) == 0);
}

static void shows_missing_barriers(void) {
    CHECK(count_wrong_sums(sum_threads<false>, 256) > 0);
}

static void shuffle(float *sums, unsigned *turned) {
    float sum = (float)threadIdx.x;
    for (int lane = 16; lane; lane /= 2)
        sum += __shfl_xor_sync(0xffffffffu, sum, lane);
    sums[threadIdx.x] = sum;
    turned[threadIdx.x] = __shfl_sync(0xffffffffu, threadIdx.x, (int)(31 - threadIdx.x % 32));
}

static void shuffles_within_warps(void) {
    for (uint64_t seed = 0; seed < 20; seed++) {
        float sums[96];
        unsigned turned[96];
        set_seed(seed);
        launch(1, 96, 0, shuffle, sums, turned);
        for (unsigned i = 0; i < 96; i++) {
            CHECK(sums[i] == (float)(i / 32 * 32 * 32 + 496));
            CHECK(turned[i] == i / 32 * 32 + 31 - i % 32);
        }
    }
}

static void keep_shared(float *to) {
    __shared__ float own[32];
    own[threadIdx.x] = dynamic_shared[threadIdx.x];
    dynamic_shared[threadIdx.x] = 1;
    __syncthreads();
    to[blockIdx.x * 32 + threadIdx.x] = own[31 - threadIdx.x];
}

static void shares_nothing_set_between_blocks(void) {
    float values[20 * 32];
    launch(20, 32, 32 * sizeof(float), keep_shared, values);
    for (float value : values)
        CHECK(isnan(value));
}

static void part_at_barrier(float *) {
    if (threadIdx.x < 40) __syncthreads();
    __shfl_xor_sync(0xffffffffu, 1, 1);
}

static void part_within_warp(float *) {
    if (threadIdx.x % 2)
        __syncwarp();
    else
        __shfl_xor_sync(0xffffffffu, 1, 1);
}

static bool is_refused(void (*kernel)(float *)) {
    fflush(stdout);
    const pid_t child = fork();
    if (child == 0) {
        if (!freopen("/dev/null", "w", stderr)) _exit(0);
        launch(1, 64, 0, kernel, nullptr);
        _exit(0);
    }
    int status;
    return waitpid(child, &status, 0) == child && WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
}

static void refuses_threads_that_part_ways(void) {
    CHECK(is_refused(part_at_barrier));
    CHECK(is_refused(part_within_warp));
}

RUN_TESTS(TEST(runs_each_thread_once), TEST(waits_at_barriers), TEST(shows_missing_barriers),
          TEST(shuffles_within_warps), TEST(shares_nothing_set_between_blocks),
          TEST(refuses_threads_that_part_ways))

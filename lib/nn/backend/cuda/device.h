/* The card that the program computes on: its stream, its memory, and how kernels are started. There is one;
 * it is opened before anything else here is called. What fails on it ends the program with a message. */
#ifndef CUDA_DEVICE_H
#define CUDA_DEVICE_H

#include <cuda_runtime.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <type_traits>

/* Makes a card, counted from 0, the one that is computed on; give_up is what ends the program with a message.
 * False with a message where there is none. */
bool device_open(int number, void (*give_up)(const char *message), char *message, size_t size);

/* Ends the program when the call of `what` failed. */
void device_check(cudaError_t result, const char *what);
[[noreturn]] void device_give_up(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* What kernels and copies are queued in. */
cudaStream_t device_stream();

/* Lets the host wait for an event, or for all that was queued. What is set by device_look is called again and
 * again meanwhile, and ends the program where there is nothing more to wait for; NULL: nothing is. */
void device_wait(cudaEvent_t event);
void device_wait_for_all();
void device_look(void (*look)());

/* Room for the inside of one call of a kernel of the backend; the next call has the same. */
void *device_room(size_t bytes);

/* Memory of the card, aligned to 256 bytes, for what is queued in a stream. */
void *device_take(size_t bytes, cudaStream_t stream);
void *device_take(size_t bytes);

/* Its end, for what is queued from here on. */
void device_release(void *memory);

/* ---- Commands: what is queued in the stream, in the order of the calls ---- */

/* From here on commands are held on the host, until device_send sends them to the card; before them it calls
 * deliver(context), once. So what they read of the host's goes up in one piece. */
void device_hold(void (*deliver)(void *context), void *context);
void device_send();

bool device_holds();
void device_keep(std::function<void()> command);

/* Calls the command now, or when it is sent. */
template <typename Command> static inline void device_queue(Command command) {
    if (device_holds())
        device_keep(command);
    else
        command();
}

/* Blocks that keep the whole card busy. */
size_t device_blocks();

static __host__ __device__ inline size_t smaller(size_t a, size_t b) {
    return a < b ? a : b;
}

static inline size_t divide_up(size_t a, size_t b) {
    return (a + b - 1) / b;
}

/* A grid of that many blocks, the last dimension first to be 1. */
static inline dim3 grid_of(size_t x, size_t y = 1, size_t z = 1) {
    return dim3(static_cast<unsigned>(x), static_cast<unsigned>(y), static_cast<unsigned>(z));
}

/* Queues kernel(arguments…) with `shared` bytes of dynamic_shared. */
template <typename... Parameters>
static inline void launch(dim3 blocks, dim3 threads, size_t shared, void (*kernel)(Parameters...),
                          typename std::common_type<Parameters>::type... arguments) {
    device_queue([=] {
        cudaLaunchConfig_t config = {};
        config.gridDim = blocks;
        config.blockDim = threads;
        config.dynamicSmemBytes = shared;
        config.stream = device_stream();
        device_check(cudaLaunchKernelEx(&config, kernel, arguments...), "cudaLaunchKernelEx");
    });
}

/* ---- Loops: what is done to each is a lambda [=] __device__ ---- */

enum { WARP = 32, BLOCK = 256, WARPS = BLOCK / WARP };

template <typename Function>
__global__ void __launch_bounds__(BLOCK) each_kernel(size_t count, Function function) {
    const size_t step = static_cast<size_t>(gridDim.x) * BLOCK;
    for (size_t i = static_cast<size_t>(blockIdx.x) * BLOCK + threadIdx.x; i < count; i += step)
        function(i);
}

/* function(i) for all i < count. */
template <typename Function> static inline void each(size_t count, Function function) {
    if (count)
        launch(grid_of(smaller(divide_up(count, BLOCK), device_blocks())), BLOCK, 0, each_kernel<Function>,
               count, function);
}

template <typename Function>
__global__ void __launch_bounds__(BLOCK) each_cell_kernel(size_t rows, size_t columns, Function function) {
    for (size_t i = static_cast<size_t>(blockIdx.y) * WARPS + threadIdx.y; i < rows;
         i += static_cast<size_t>(gridDim.y) * WARPS)
        for (size_t j = static_cast<size_t>(blockIdx.x) * WARP + threadIdx.x; j < columns;
             j += static_cast<size_t>(gridDim.x) * WARP)
            function(i, j);
}

/* function(i, j) for all i < rows and j < columns. */
template <typename Function> static inline void each_cell(size_t rows, size_t columns, Function function) {
    if (!rows || !columns) return;
    const size_t across = smaller(divide_up(columns, WARP), 64);
    const size_t down = smaller(divide_up(rows, WARPS), divide_up(device_blocks(), across));
    launch(grid_of(across, smaller(down, 65535)), dim3(WARP, WARPS), 0, each_cell_kernel<Function>, rows,
           columns, function);
}

template <typename Function>
__global__ void __launch_bounds__(BLOCK) each_row_kernel(size_t rows, Function function) {
    for (size_t i = static_cast<size_t>(blockIdx.x) * WARPS + threadIdx.x / WARP; i < rows;
         i += static_cast<size_t>(gridDim.x) * WARPS)
        function(i, threadIdx.x % WARP);
}

/* function(i, lane) by all lanes of a warp for each i < rows. */
template <typename Function> static inline void each_row(size_t rows, Function function) {
    if (rows)
        launch(grid_of(smaller(divide_up(rows, WARPS), device_blocks())), BLOCK, 0, each_row_kernel<Function>,
               rows, function);
}

template <typename Function>
__global__ void __launch_bounds__(BLOCK)
    each_block_kernel(size_t rows, const __grid_constant__ Function function) {
    for (size_t i = blockIdx.x; i < rows; i += gridDim.x)
        function(i);
}

/* function(i) by all BLOCK threads of a block for each i < rows. It leaves nothing in shared memory that the
 * next i may not overwrite at once; arrays that it captures are read where the arguments are. */
template <typename Function> static inline void each_block(size_t rows, Function function) {
    if (rows)
        launch(grid_of(smaller(rows, device_blocks())), BLOCK, 0, each_block_kernel<Function>, rows,
               function);
}

#endif

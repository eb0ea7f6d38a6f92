/* Runs the threads of a block as fibers, so that kernels run on the host as written. A thread runs until it
 * has to wait for others, at a barrier or a shuffle; which one goes on then is drawn from a seed, so that a
 * missing barrier shows as a wrong result under some seed. Threads that never wait are a plain loop. Blocks
 * are spread over OpenMP's threads. */
#ifndef FIBERS_H
#define FIBERS_H

#include <cstddef>
#include <cstdint>

struct dim3 {
    unsigned x, y, z;
    constexpr dim3(unsigned x_ = 1, unsigned y_ = 1, unsigned z_ = 1) : x(x_), y(y_), z(z_) {
    }
};

/* What a kernel knows of its place. */
extern __constinit thread_local dim3 threadIdx, blockIdx, blockDim, gridDim;

/* What a block may share unasked on every card. */
enum { FIBERS_SHARED_BYTES = 48 << 10 };

/* Runs body(context) once for each thread of each block. A block has whole warps, and `shared` bytes at
 * dynamic_shared that hold NaNs when it starts. Threads that wait for each other in vain, or lanes of a warp
 * that part ways, end the program with a message. */
void fibers_run(dim3 grid, dim3 block, size_t shared, void (*body)(void *), void *context);

/* Of a kernel: waits for all threads of the block, or of the warp. */
void fibers_block_barrier();
void fibers_warp_barrier();

/* Of a kernel: gives the warp `words` words (at most FIBERS_MOST_WORDS) and returns those of all lanes, lane
 * after lane FIBERS_MOST_WORDS apart, valid until the thread's next exchange but one. */
enum { FIBERS_MOST_WORDS = 8 };
const uint64_t *fibers_exchange(const uint64_t *own, size_t words);

#endif

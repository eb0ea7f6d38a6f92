#include "fibers.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <sys/mman.h>
#include <vector>
#ifndef __x86_64__
#include <ucontext.h>
#endif

thread_local dim3 threadIdx, blockIdx, blockDim, gridDim;
alignas(16) thread_local float dynamic_shared[FIBERS_SHARED_BYTES / sizeof(float)];

namespace {

enum { LANES = 32, MOST_THREADS = 1024, STACK_BYTES = 128 << 10 };

[[noreturn]] void give_up(const char *what) {
    std::fprintf(stderr, "cuda on host: block (%u, %u, %u): %s\n", blockIdx.x, blockIdx.y, blockIdx.z, what);
    std::abort();
}

/* ---- A stack of its own, and the switch from one to another ---- */

#ifdef __x86_64__

/* Keeps what a function must leave as it found it on the stack, the stack at *from, and goes on at `to`. */
extern "C" void fiber_switch(void **from, void *to);
asm(R"(
    .text
    .hidden fiber_switch
    .type fiber_switch, @function
    .globl fiber_switch
fiber_switch:
    push %rbp
    push %rbx
    push %r12
    push %r13
    push %r14
    push %r15
    mov %rsp, (%rdi)
    mov %rsi, %rsp
    pop %r15
    pop %r14
    pop %r13
    pop %r12
    pop %rbx
    pop %rbp
    ret
)");

struct Place {
    void *stack = nullptr;

    void begin(unsigned char *lowest, void (*function)()) {
        void **top = reinterpret_cast<void **>(lowest + STACK_BYTES) - 8;
        std::memset(top, 0, 8 * sizeof *top);
        top[6] = reinterpret_cast<void *>(function);
        stack = top;
    }
    void go_to(const Place &other) {
        fiber_switch(&stack, other.stack);
    }
};

#else

struct Place {
    ucontext_t context;

    void begin(unsigned char *lowest, void (*function)()) {
        getcontext(&context);
        context.uc_stack.ss_sp = lowest;
        context.uc_stack.ss_size = STACK_BYTES;
        context.uc_link = nullptr;
        makecontext(&context, function, 0);
    }
    void go_to(const Place &other) {
        swapcontext(&context, &other.context);
    }
};

#endif

/* ---- The threads of a block ---- */

class Fiber {
  public:
    explicit Fiber(void (*function)())
        : stack_(mmap(nullptr, STACK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)) {
        if (stack_ == MAP_FAILED) give_up("no memory for a fiber's stack");
        place.begin(static_cast<unsigned char *>(stack_), function);
    }
    ~Fiber() {
        munmap(stack_, STACK_BYTES);
    }
    Fiber(const Fiber &) = delete;
    Fiber &operator=(const Fiber &) = delete;

    Place place;
    unsigned thread = 0; /* that it runs */

  private:
    void *stack_;
};

/* Where threads wait until all that live are there, each for the same: a barrier or an exchange. */
struct Gate {
    unsigned living;
    bool exchanges;
    std::vector<Fiber *> waiting;
};

struct Warp {
    Gate gate;
    unsigned round; /* of exchanges: a lane may be one ahead of another that has not read yet */
    uint64_t words[2][LANES][FIBERS_MOST_WORDS];
};

/* Takes an element away. */
template <typename T> T take(std::vector<T> &from, size_t i) {
    T drawn = from[i];
    from[i] = from.back();
    from.pop_back();
    return drawn;
}

/* One for each of OpenMP's threads. */
class Machine {
  public:
    void run_block(dim3 index, size_t shared, uint64_t seed, void (*body)(void *), void *context);
    void wait_for_block() {
        wait_at(block_, false);
    }
    void wait_for_warp() {
        wait_at(own_warp().gate, false);
    }
    const uint64_t *exchange(const uint64_t *own, size_t words);

  private:
    static void fiber_main();
    void run_threads();
    void run_thread(unsigned thread);
    void leave(Gate &gate);
    void wait_at(Gate &gate, bool exchanges);
    void open(Gate &gate);
    void go_on();
    void go_to(Fiber *next);
    Fiber *take_fiber();

    Warp &own_warp() {
        return *warps_[running_->thread / LANES];
    }
    uint64_t random() { /* splitmix64 */
        uint64_t z = random_ += 0x9e3779b97f4a7c15u;
        z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
        z = (z ^ z >> 27) * 0x94d049bb133111ebu;
        return z ^ z >> 31;
    }
    template <typename T> T draw(std::vector<T> &from) {
        return take(from, static_cast<size_t>(random() % from.size()));
    }
    Fiber *next_ready();

    Place scheduler_;
    std::vector<std::unique_ptr<Fiber>> fibers_;
    Fiber *running_ = nullptr;
    std::vector<Fiber *> idle_, ready_;
    std::vector<unsigned> unstarted_;
    Gate block_;
    std::vector<std::unique_ptr<Warp>> warps_;
    uint64_t random_ = 0;
    bool hurries_ = false; /* in this block */
    void (*body_)(void *) = nullptr;
    void *context_ = nullptr;
};

thread_local Machine machine;

void Machine::run_block(dim3 index, size_t shared, uint64_t seed, void (*body)(void *), void *context) {
    const unsigned count = blockDim.x * blockDim.y * blockDim.z;
    blockIdx = index;
    random_ = seed;
    hurries_ = random() & 1;
    body_ = body;
    context_ = context;
    std::memset(dynamic_shared, 0xff, shared);
    block_.living = count;
    while (warps_.size() < count / LANES)
        warps_.emplace_back(new Warp());
    for (unsigned i = 0; i < count / LANES; i++)
        warps_[i]->gate.living = LANES, warps_[i]->round = 0;
    unstarted_.resize(count);
    for (unsigned i = 0; i < count; i++)
        unstarted_[i] = i;
    running_ = take_fiber();
    scheduler_.go_to(running_->place);
    if (block_.living)
        give_up("its threads wait for each other: not all come to the same barrier or shuffle");
}

Fiber *Machine::take_fiber() {
    if (!idle_.empty()) {
        Fiber *fiber = idle_.back();
        idle_.pop_back();
        return fiber;
    }
    fibers_.emplace_back(new Fiber(fiber_main));
    return fibers_.back().get();
}

/* A fiber runs thread after thread; one that has none to begin with is kept for later. */
void Machine::fiber_main() {
    for (;;) {
        machine.run_threads();
        machine.idle_.push_back(machine.running_);
        machine.go_on();
    }
}

void Machine::run_threads() {
    while (!unstarted_.empty() && (ready_.empty() || random() & 1))
        run_thread(draw(unstarted_));
}

void Machine::run_thread(unsigned thread) {
    running_->thread = thread;
    threadIdx = dim3(thread % blockDim.x, thread / blockDim.x % blockDim.y, thread / blockDim.x / blockDim.y);
    body_(context_);
    leave(own_warp().gate);
    leave(block_);
}

void Machine::leave(Gate &gate) {
    gate.living--;
    if (gate.living && gate.waiting.size() == gate.living) open(gate);
}

void Machine::wait_at(Gate &gate, bool exchanges) {
    if (gate.waiting.empty()) gate.exchanges = exchanges;
    if (gate.exchanges != exchanges) give_up("some lanes of a warp come to a barrier, some to a shuffle");
    gate.waiting.push_back(running_);
    if (gate.waiting.size() == gate.living) open(gate);
    go_on();
}

/* In every other block warps run far ahead of each other: what waited last goes on first, warp by warp. */
Fiber *Machine::next_ready() {
    return hurries_ ? take(ready_, ready_.size() - 1) : draw(ready_);
}

void Machine::open(Gate &gate) {
    const unsigned order = static_cast<unsigned>(random() % LANES);
    if (hurries_)
        std::sort(gate.waiting.begin(), gate.waiting.end(), [order](const Fiber *a, const Fiber *b) {
            return (a->thread / LANES ^ order) < (b->thread / LANES ^ order);
        });
    ready_.insert(ready_.end(), gate.waiting.begin(), gate.waiting.end());
    gate.waiting.clear();
}

/* Leaves the running fiber, which waits or is idle, for another, or for none when all are done or stuck. */
void Machine::go_on() {
    if (!unstarted_.empty() && (ready_.empty() || random() & 1)) {
        go_to(take_fiber());
    } else if (!ready_.empty()) {
        go_to(next_ready());
    } else {
        running_->place.go_to(scheduler_);
    }
}

void Machine::go_to(Fiber *next) {
    Fiber *self = running_;
    if (next == self) return;
    running_ = next;
    self->place.go_to(next->place);
    const unsigned thread = self->thread;
    threadIdx = dim3(thread % blockDim.x, thread / blockDim.x % blockDim.y, thread / blockDim.x / blockDim.y);
}

const uint64_t *Machine::exchange(const uint64_t *own, size_t words) {
    Warp &warp = own_warp();
    uint64_t(*all)[FIBERS_MOST_WORDS] = warp.words[warp.round & 1];
    std::memcpy(all[running_->thread % LANES], own, words * sizeof *own);
    if (warp.gate.living < LANES) give_up("a shuffle after some lanes of the warp have ended");
    if (warp.gate.waiting.size() + 1 == LANES) warp.round++;
    wait_at(warp.gate, true);
    return all[0];
}

uint64_t current_seed() {
    const char *seed = std::getenv("PM_FIBER_SEED");
    return seed ? std::strtoull(seed, nullptr, 10) : 0;
}

} // namespace

void fibers_run(dim3 grid, dim3 block, size_t shared, void (*body)(void *), void *context) {
    const size_t threads = static_cast<size_t>(block.x) * block.y * block.z;
    const size_t blocks = static_cast<size_t>(grid.x) * grid.y * grid.z;
    if (!threads || threads > MOST_THREADS || threads % LANES)
        give_up("a block has 32, 64, … or 1024 threads");
    if (!blocks || grid.y > 65535 || grid.z > 65535) give_up("there is no such grid");
    if (shared > FIBERS_SHARED_BYTES) give_up("a block has 48 KiB to share");
    const uint64_t seed = current_seed();
#pragma omp parallel if (blocks > 1 && blocks * threads > 4096)
    {
        blockDim = block;
        gridDim = grid;
#pragma omp for schedule(dynamic)
        for (size_t i = 0; i < blocks; i++)
            machine.run_block(dim3(static_cast<unsigned>(i % grid.x),
                                   static_cast<unsigned>(i / grid.x % grid.y),
                                   static_cast<unsigned>(i / grid.x / grid.y)),
                              shared, seed * 0x2545f4914f6cdd1du + i, body, context);
    }
}

void fibers_block_barrier() {
    machine.wait_for_block();
}

void fibers_warp_barrier() {
    machine.wait_for_warp();
}

const uint64_t *fibers_exchange(const uint64_t *own, size_t words) {
    return machine.exchange(own, words);
}

/* Signals that come while products are computed: handlers have a stack of their own, and only the first
 * thread takes what comes from outside. */
#include "check.h"

#include "core/memory.h"
#include "core/start.h"
#include "nn/backend/cpu/kernels.h"

#include <signal.h>
#include <sys/time.h>
#include <unistd.h>

static void every_handler_has_its_stack(void) {
    int handlers = 0;
    for (int i = 1; i <= SIGRTMAX; i++) {
        struct sigaction now;
        if (sigaction(i, NULL, &now) || now.sa_handler == SIG_DFL || now.sa_handler == SIG_IGN) continue;
        handlers++;
        CHECK(now.sa_flags & SA_ONSTACK, "signal %d", i);
    }
    CHECK(handlers > 20, "%d", handlers);
}

static volatile sig_atomic_t came, elsewhere;

static void note(int signal_number) {
    (void)signal_number;
    stack_t stack;
    sigaltstack(NULL, &stack);
    came++;
    if (!(stack.ss_flags & SS_ONSTACK) || gettid() != getpid()) elsewhere++;
}

static void ring_every(suseconds_t microseconds) {
    const struct timeval time = {.tv_usec = microseconds};
    setitimer(ITIMER_REAL, &(struct itimerval){time, time}, NULL);
}

/* Blocks that lie around what a product takes for itself. */
enum { BLOCKS = 400, BLOCK_BYTES = 1000 };

static void take_blocks(unsigned char *blocks[BLOCKS]) {
    for (size_t i = 0; i < BLOCKS; i++)
        memset(blocks[i] = memory_need(1, BLOCK_BYTES), 0x5a, BLOCK_BYTES);
}

static size_t free_blocks(unsigned char *blocks[BLOCKS]) {
    size_t damaged = 0;
    for (size_t i = 0; i < BLOCKS; i++) {
        for (size_t at = 0; at < BLOCK_BYTES; at++)
            if (blocks[i][at] != 0x5a) {
                damaged++;
                break;
            }
        free(blocks[i]);
    }
    return damaged;
}

static void products_and_the_heap_stay(void) {
    enum { M = 32, N = 24, K = 716 };
    float *a = memory_need(M * K, sizeof *a), *b = memory_need(K * N, sizeof *b),
          *c = memory_need(M * N, sizeof *c);
    unsigned char *blocks[BLOCKS];
    size_t wrong = 0;
    for (size_t i = 0; i < M * K; i++)
        a[i] = 1.0f;
    for (size_t i = 0; i < K * N; i++)
        b[i] = 1.0f;
    struct sigaction before, ours = {.sa_handler = note, .sa_flags = SA_RESTART | SA_ONSTACK};
    sigaction(SIGALRM, &ours, &before);
    ring_every(50);
    for (int round = 0; round < 100; round++) {
        take_blocks(blocks);
        for (int i = 0; i < 50; i++)
            cpu_matmul_f32(M, N, K, (Matrix){.values = a, .stride = M, .transposed = true},
                           (Matrix){.values = b, .stride = N}, 0, c, N);
        const size_t damaged = free_blocks(blocks);
        CHECK(!damaged, "%zu blocks", damaged);
        for (size_t i = 0; i < M * N; i++)
            wrong += c[i] != K;
    }
    ring_every(0);
    sigaction(SIGALRM, &before, NULL);
    CHECK(came > 100, "%d signals", (int)came);
    CHECK(!elsewhere, "%d of %d", (int)elsewhere, (int)came);
    CHECK(!wrong, "%zu sums", wrong);
    free(a), free(b), free(c);
}

static void others_take_no_signals(void) {
    int threads = 0, open = 0, deaf = 0;
#pragma omp parallel num_threads(4) reduction(+ : threads, open, deaf)
    {
        sigset_t blocked;
        pthread_sigmask(SIG_BLOCK, NULL, &blocked);
        threads++;
        open += gettid() != getpid() && !sigismember(&blocked, SIGTERM);
        deaf += sigismember(&blocked, SIGBUS);
    }
    CHECK(threads == 4, "%d", threads);
    CHECK(!open, "%d of the others are open to SIGTERM", open);
    CHECK(!deaf, "%d would not report a file that shrinks", deaf);
}

int main(void) {
    start_program("test_signals");
    const Test tests[] = {TEST(every_handler_has_its_stack), TEST(others_take_no_signals),
                          TEST(products_and_the_heap_stay)};
    return run_tests(tests, sizeof tests / sizeof *tests);
}

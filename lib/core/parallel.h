/* The one place where the number of threads is decided. OpenMP runs our loops and OpenBLAS's. */
#ifndef CORE_PARALLEL_H
#define CORE_PARALLEL_H

#include <pthread.h>
#include <stdbool.h>

/* 0 means as many as OMP_NUM_THREADS says or, without it, the processors that this process may run on, no
 * more than the quota of its container. */
void parallel_set_threads(int threads);
int parallel_threads(void);

/* Starts the program again, in place, with OMP_WAIT_POLICY=passive, unless that or GOMP_SPINCOUNT is set or
 * one thread is all there is. OpenMP's threads otherwise spin for milliseconds whenever one has nothing to
 * do, and two tools at once (make -j) take each other's processors with waiting; and its runtime takes the
 * policy from the environment alone, before main. Returns when there is nothing to do or it cannot be done.
 */
void parallel_wait_passively(char **argv);

/* Starts a thread beside OpenMP's, for input and output. No signal reaches it: they are for the thread that
 * writes, which knows what to remove. */
bool parallel_start_thread(pthread_t *thread, void *(*run)(void *context), void *context);

#endif

/* The one place where the number of threads is decided. OpenMP runs our loops and OpenBLAS's. */
#ifndef CORE_PARALLEL_H
#define CORE_PARALLEL_H

#include <pthread.h>
#include <stdbool.h>

/* 0 means as many as OMP_NUM_THREADS says or, without it, the processors that this process may run on, no
 * more than the quota of its container. */
void parallel_set_threads(int threads);
int parallel_threads(void);

/* Starts the program again, in place, with a GOMP_SPINCOUNT of a few microseconds, unless that or
 * OMP_WAIT_POLICY is set or one thread is all there is. OpenMP's threads otherwise spin for milliseconds
 * whenever one has nothing to do, and two tools at once (make -j) take each other's processors with waiting;
 * threads that do not spin at all are woken so often that small models take half as long again. The runtime
 * takes this from the environment alone, before main. Returns when there is nothing to do or it cannot be
 * done. */
void parallel_wait_briefly(char **argv);

/* Starts a thread beside OpenMP's, for input and output. No signal reaches it: they are for the thread that
 * writes, which knows what to remove. */
bool parallel_start_thread(pthread_t *thread, void *(*run)(void *context), void *context);

#endif

/* The one place where the number of threads is decided. OpenMP runs our loops and OpenBLAS's. */
#ifndef CORE_PARALLEL_H
#define CORE_PARALLEL_H

/* 0 means all processors this process may run on. */
void parallel_set_threads(int threads);
int parallel_threads(void);

/* Lets threads that wait sleep instead of spinning, unless the environment says otherwise (OMP_WAIT_POLICY).
 * Two tools at work on the same processors would lose most of their time to each other's spinning. libgomp
 * reads its environment before main(), so the program starts itself once more with it set. */
void parallel_wait_asleep(char **arguments);

#endif

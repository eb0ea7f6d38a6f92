/* The one place where the number of threads is decided. OpenMP runs our loops and OpenBLAS's. */
#ifndef CORE_PARALLEL_H
#define CORE_PARALLEL_H

/* 0 means all processors this process may run on. */
void parallel_set_threads(int threads);
int parallel_threads(void);

#endif

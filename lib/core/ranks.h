/* The processes of one run: a single one, or those that mpirun or srun started together. Rank 0 writes. */
#ifndef CORE_RANKS_H
#define CORE_RANKS_H

#include "core/error.h"

#include <stdbool.h>
#include <stddef.h>

typedef struct Ranks {
    int rank, count;
    const struct RanksTransport *transport; /* NULL: a single process */
} Ranks;

/* A process by itself. */
extern const Ranks ranks_single;

/* The processes that this one was started with, and its threads among them. Where an MPI launcher started
 * several, the plug-in for MPI must be there: NULL with a message. From here on messages name rank and host,
 * and only rank 0 says more than errors. */
const Ranks *ranks_start(Error *error);

/* The end of the program's part in it, and its exit status. Without `fine` the message is printed. A process
 * that ends without having been here, or not fine, by exit or cleanup_and_fail, ends all others. */
int ranks_end(bool fine, const Error *error);

/* "rank 3 of 8, node2", for messages; a process by itself is "". */
const char *ranks_name(const Ranks *ranks);

/* The MPI library, for --version, or why there is none. */
const char *ranks_describe(void);

/* Whether it is this process that writes. */
static inline bool ranks_writes(const Ranks *ranks) {
    return ranks->rank == 0;
}

/* Where the share of a rank begins in `total` things; that of rank + 1 begins where it ends. */
size_t ranks_first(const Ranks *ranks, int rank, size_t total);

/* Fills offsets[count + 1] with these beginnings. */
void ranks_share(const Ranks *ranks, size_t total, size_t *offsets);

/* What follows must be called by all ranks, in the same order. */

/* Of the elements of `size` bytes each rank has filled those from offsets[rank] to offsets[rank + 1]; now
 * each has all. */
void ranks_gather(const Ranks *ranks, const size_t *offsets, size_t size, void *elements);

/* own[i] = the sum over the ranks, in their order, of all[offsets[rank] + i]. */
void ranks_scatter_sum(const Ranks *ranks, const size_t *offsets, const float *all, float *own);

/* values[i] = the sum over the ranks, in their order: the same bytes everywhere. */
void ranks_sum(const Ranks *ranks, size_t count, float *values);
void ranks_sum_doubles(const Ranks *ranks, size_t count, double *values);

/* Whether any rank says so. */
bool ranks_any(const Ranks *ranks, bool mine);

/* Rank 0's bytes, for all. */
void ranks_broadcast(const Ranks *ranks, size_t bytes, void *memory);

/* How long all this has taken so far, waiting for others included. */
double ranks_seconds(void);

#endif

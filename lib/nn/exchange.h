/* What the ranks of a run exchange of a backend's memory: straight from one to the other where the backend
 * has a way that is open on all ranks, else over the host by core/ranks.h, to the same bytes. To be called by
 * all ranks, in the same order. */
#ifndef NN_EXCHANGE_H
#define NN_EXCHANGE_H

#include "core/ranks.h"
#include "nn/backend/backend.h"

/* Opens the backend's way where it has one, and says which way it will be. */
void exchange_open(const Ranks *ranks, const Backend *backend);

/* When all have gone well; a program that fails just ends. */
void exchange_close(const Backend *backend);

/* Each rank has filled the values from offsets[rank] to offsets[rank + 1]; now each has all. */
void exchange_gather(const Ranks *ranks, const Backend *backend, const size_t *offsets, float *values);

/* own[i] = the sum over the ranks, in their order, of all[offsets[rank] + i]. */
void exchange_scatter_sum(const Ranks *ranks, const Backend *backend, const size_t *offsets, const float *all,
                          float *own);

/* values[i] = the sum over the ranks, in their order: the same bytes everywhere. */
void exchange_sum(const Ranks *ranks, const Backend *backend, size_t count, float *values);

#endif

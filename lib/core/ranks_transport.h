/* What carries bytes between ranks. It is a plug-in, so that programs need no MPI library; mpi/transport.c is
 * the one there is. */
#ifndef CORE_RANKS_TRANSPORT_H
#define CORE_RANKS_TRANSPORT_H

#include <stddef.h>

typedef struct RanksTransport {
    unsigned version; /* RANKS_TRANSPORT_VERSION */
    int rank, count;
    const char *host;

    /* Each rank has filled its share of the bytes, offsets[rank] … offsets[rank + 1]; now each has all. */
    void (*gather)(const size_t *offsets, void *bytes);

    /* Rank r gets what each rank has at from_offsets[r] … from_offsets[r + 1]; what came from rank r stands
     * at to_offsets[r]. Offsets in floats. */
    void (*exchange)(const float *from, const size_t *from_offsets, float *to, const size_t *to_offsets);

    void (*broadcast)(size_t bytes, void *memory);

    void (*finish)(void);
    void (*end_all)(void); /* ends the programs of all ranks, and does not return */
} RanksTransport;

/* To be raised with every change above. */
enum { RANKS_TRANSPORT_VERSION = 2 };

/* What a transport exports: as pm_ranks_open, and as pm_ranks_library, which says what library it goes by and
 * may be called alone. */
typedef const RanksTransport *(*RanksOpen)(void);
typedef const char *(*RanksLibrary)(void);

#endif

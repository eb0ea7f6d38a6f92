/* The transport between ranks by MPI: the plug-in pm-mpi.so. An error in MPI ends all ranks, which is its
 * default. */
#include "core/ranks_transport.h"

#include <limits.h>
#include <mpi.h>
#include <stdlib.h>
#include <string.h>

/* MPI counts with an int: what is larger goes in pieces. */
enum { LARGEST_PIECE = 1 << 30 };

static RanksTransport transport;
static char host[MPI_MAX_PROCESSOR_NAME + 1];

static void broadcast_from(int root, size_t bytes, char *memory) {
    for (size_t done = 0; done < bytes; done += LARGEST_PIECE) {
        const size_t piece = bytes - done < LARGEST_PIECE ? bytes - done : LARGEST_PIECE;
        MPI_Bcast(memory + done, (int)piece, MPI_BYTE, root, MPI_COMM_WORLD);
    }
}

static void broadcast(size_t bytes, void *memory) {
    broadcast_from(0, bytes, memory);
}

/* counts[r] and places[r], as MPI wants them. */
static void as_int(const size_t *offsets, int *counts, int *places) {
    for (int r = 0; r < transport.count; r++) {
        counts[r] = (int)(offsets[r + 1] - offsets[r]);
        places[r] = (int)offsets[r];
    }
}

static void gather(const size_t *offsets, void *bytes) {
    if (offsets[transport.count] > INT_MAX) {
        for (int r = 0; r < transport.count; r++)
            broadcast_from(r, offsets[r + 1] - offsets[r], (char *)bytes + offsets[r]);
        return;
    }
    int counts[transport.count], places[transport.count];
    as_int(offsets, counts, places);
    MPI_Allgatherv(MPI_IN_PLACE, 0, MPI_DATATYPE_NULL, bytes, counts, places, MPI_BYTE, MPI_COMM_WORLD);
}

static void exchange(const float *from, const size_t *from_offsets, float *to, const size_t *to_offsets) {
    int from_counts[transport.count], from_places[transport.count];
    int to_counts[transport.count], to_places[transport.count];
    as_int(from_offsets, from_counts, from_places);
    as_int(to_offsets, to_counts, to_places);
    MPI_Alltoallv(from, from_counts, from_places, MPI_FLOAT, to, to_counts, to_places, MPI_FLOAT,
                  MPI_COMM_WORLD);
}

static void finish(void) {
    MPI_Finalize();
}

static void end_all(void) {
    MPI_Abort(MPI_COMM_WORLD, 1);
    abort();
}

/* The first words of what the library says of itself: its name and version. */
const char *pm_ranks_library(void);
const char *pm_ranks_library(void) {
    static char text[MPI_MAX_LIBRARY_VERSION_STRING + 1];
    int length;
    MPI_Get_library_version(text, &length);
    text[strcspn(text, ",\t\n")] = 0;
    return text;
}

const RanksTransport *pm_ranks_open(void);
const RanksTransport *pm_ranks_open(void) {
    int length, provided;
    MPI_Init_thread(NULL, NULL, MPI_THREAD_FUNNELED, &provided);
    MPI_Get_processor_name(host, &length);
    transport = (RanksTransport){.version = RANKS_TRANSPORT_VERSION,
                                 .host = host,
                                 .gather = gather,
                                 .exchange = exchange,
                                 .broadcast = broadcast,
                                 .finish = finish,
                                 .end_all = end_all};
    MPI_Comm_rank(MPI_COMM_WORLD, &transport.rank);
    MPI_Comm_size(MPI_COMM_WORLD, &transport.count);
    return &transport;
}

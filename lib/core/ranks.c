#include "core/ranks.h"

#include "core/cleanup.h"
#include "core/log.h"
#include "core/memory.h"
#include "core/progress.h"
#include "core/ranks_agree.h"
#include "core/ranks_transport.h"
#include "core/shared_object.h"

#include <dlfcn.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* Floats that are summed at a time. */
enum { SUM_BLOCK = 1 << 20 };

const Ranks ranks_single = {0, 1, NULL};

static const char plugin_name[] = "pm-mpi.so", plugin_needs[] = "MPI's mpicc";

static long number_of(const char *variable) {
    const char *text = getenv(variable);
    return text ? strtol(text, NULL, 10) : 0;
}

/* How many processes a launcher says that it started: Open MPI's, MPICH's and Slurm's way. */
static long launched(void) {
    static const char *const names[] = {"OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "MPI_LOCALNRANKS"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (getenv(names[i])) return number_of(names[i]);
    if (getenv("PMIX_RANK")) return number_of("SLURM_NTASKS");
    if (number_of("SLURM_STEP_NUM_TASKS") > 1)
        log_warning(
            "srun started several processes that know nothing of each other, each for the whole work; "
            "give it --mpi=pmix to make them one run");
    return 1;
}

static const RanksTransport *open_transport(Error *error) {
    void *plugin = shared_object_open(plugin_name, plugin_needs, error);
    if (!plugin) return NULL;
    const RanksOpen open = (RanksOpen)dlsym(plugin, "pm_ranks_open");
    const RanksTransport *transport = open ? open() : NULL;
    if (transport && transport->version == RANKS_TRANSPORT_VERSION) return transport;
    shared_object_refuse(plugin_name, error);
    return NULL;
}

const char *ranks_describe(void) {
    static char text[2 * PATH_MAX];
    Error error;
    if (!shared_object_find(plugin_name, text, sizeof text)) return "no plug-in";
    void *plugin = shared_object_open(plugin_name, plugin_needs, &error);
    const RanksLibrary library = plugin ? (RanksLibrary)dlsym(plugin, "pm_ranks_library") : NULL;
    if (plugin && !library) shared_object_refuse(plugin_name, &error);
    snprintf(text, sizeof text, "%s", library ? library() : error.message);
    return text;
}

/* ---- A process of several ---- */

static Ranks several; /* its transport is NULL when there are not several, or no more */
static char several_name[512];

/* The process ends before its part is done, and MPI may be in any state. */
static void end_all(void) {
    enum { SECONDS_TO_END = 5 };
    const RanksTransport *transport = several.transport;
    several.transport = NULL;
    if (!transport) return;
    alarm(SECONDS_TO_END);
    transport->end_all();
}

const Ranks *ranks_start(Error *error) {
    if (launched() <= 1) return &ranks_single;
    const RanksTransport *transport = open_transport(error);
    if (!transport) return NULL;
    several = (Ranks){transport->rank, transport->count, transport};
    snprintf(several_name, sizeof several_name, "rank %d of %d, %s", several.rank, several.count,
             transport->host);
    log_rank(several.rank, several_name);
    atexit(end_all);
    cleanup_at_failure(end_all);
    return ranks_agree_on_program(&several, error) ? &several : NULL;
}

const char *ranks_name(const Ranks *ranks) {
    return ranks->transport ? several_name : "";
}

/* When several ranks fail for the same reason, the first one's message is enough. */
static void let_others_speak(void) {
    const int rank = several.transport ? several.rank : 0;
    const struct timespec pause = {.tv_nsec = 1000000L * (rank < 9 ? 100 * rank : 900)};
    nanosleep(&pause, NULL);
}

int ranks_end(bool fine, const Error *error) {
    if (!fine) {
        let_others_speak();
        log_error("%s", error->message);
        return 1;
    }
    if (several.transport) several.transport->finish();
    several.transport = NULL;
    return 0;
}

size_t ranks_first(const Ranks *ranks, int rank, size_t total) {
    const size_t count = (size_t)ranks->count, r = (size_t)rank, rest = total % count;
    return total / count * r + (r < rest ? r : rest);
}

void ranks_share(const Ranks *ranks, size_t total, size_t *offsets) {
    for (int r = 0; r <= ranks->count; r++)
        offsets[r] = ranks_first(ranks, r, total);
}

static double seconds;

double ranks_seconds(void) {
    return seconds;
}

void ranks_gather(const Ranks *ranks, const size_t *offsets, size_t size, void *elements) {
    if (!ranks->transport) return;
    const double started = progress_clock();
    size_t *bytes = memory_need((size_t)ranks->count + 1, sizeof *bytes);
    for (int r = 0; r <= ranks->count; r++)
        bytes[r] = offsets[r] * size;
    ranks->transport->gather(bytes, elements);
    free(bytes);
    seconds += progress_clock() - started;
}

void ranks_scatter_sum(const Ranks *ranks, const size_t *offsets, const float *all, float *own) {
    const size_t count = offsets[ranks->rank + 1] - offsets[ranks->rank];
    if (!ranks->transport) {
        memcpy(own, all, count * sizeof *own);
        return;
    }
    const double started = progress_clock();
    size_t *places = memory_need((size_t)ranks->count + 1, sizeof *places);
    float *parts = memory_need(count * (size_t)ranks->count, sizeof *parts);
    for (int r = 0; r <= ranks->count; r++)
        places[r] = (size_t)r * count;
    ranks->transport->exchange(all, offsets, parts, places);
    memcpy(own, parts, count * sizeof *own);
    for (size_t r = 1; r < (size_t)ranks->count; r++)
        for (size_t i = 0; i < count; i++)
            own[i] += parts[r * count + i];
    free(places);
    free(parts);
    seconds += progress_clock() - started;
}

/* Each rank sums a share, and gives the sums to all. */
void ranks_sum(const Ranks *ranks, size_t count, float *values) {
    if (!ranks->transport) return;
    size_t *offsets = memory_need((size_t)ranks->count + 1, sizeof *offsets);
    for (size_t done = 0; done < count; done += SUM_BLOCK) {
        const size_t block = count - done < SUM_BLOCK ? count - done : SUM_BLOCK;
        ranks_share(ranks, block, offsets);
        ranks_scatter_sum(ranks, offsets, values + done, values + done + offsets[ranks->rank]);
        ranks_gather(ranks, offsets, sizeof *values, values + done);
    }
    free(offsets);
}

void ranks_sum_doubles(const Ranks *ranks, size_t count, double *values) {
    if (!ranks->transport) return;
    size_t *offsets = memory_need((size_t)ranks->count + 1, sizeof *offsets);
    double *all = memory_need((size_t)ranks->count * count, sizeof *all);
    for (int r = 0; r <= ranks->count; r++)
        offsets[r] = (size_t)r * count;
    memcpy(all + offsets[ranks->rank], values, count * sizeof *all);
    ranks_gather(ranks, offsets, sizeof *all, all);
    memcpy(values, all, count * sizeof *all);
    for (size_t r = 1; r < (size_t)ranks->count; r++)
        for (size_t i = 0; i < count; i++)
            values[i] += all[r * count + i];
    free(offsets);
    free(all);
}

bool ranks_any(const Ranks *ranks, bool mine) {
    double any = mine;
    ranks_sum_doubles(ranks, 1, &any);
    return any > 0;
}

void ranks_broadcast(const Ranks *ranks, size_t bytes, void *memory) {
    if (!ranks->transport) return;
    const double started = progress_clock();
    ranks->transport->broadcast(bytes, memory);
    seconds += progress_clock() - started;
}

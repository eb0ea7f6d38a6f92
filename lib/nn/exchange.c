#include "nn/exchange.h"

#include "core/log.h"
#include "core/memory.h"

#include <stdlib.h>
#include <string.h>

/* Values that are summed at a time: what comes from other ranks takes as much memory. */
enum { SUM_BLOCK = 1 << 24, MESSAGE_BYTES = 512 };

static bool is_direct(const Backend *backend) {
    return backend->exchange && backend->exchange->is_open();
}

/* ---- Opening ---- */

/* Says what stopped the first rank that something stopped. */
static void report_host(const Ranks *ranks, const char *message) {
    const size_t count = (size_t)ranks->count;
    size_t *places = memory_need(count + 1, sizeof *places);
    char(*messages)[MESSAGE_BYTES] = memory_need(count, sizeof *messages);
    for (size_t r = 0; r <= count; r++)
        places[r] = r;
    memcpy(messages[ranks->rank], message, MESSAGE_BYTES);
    ranks_gather(ranks, places, MESSAGE_BYTES, messages);
    size_t first = 0;
    while (first + 1 < count && !*messages[first])
        first++;
    log_report("vectors and gradients go over the host, which is slower than from card to card: rank %zu: %s",
               first, messages[first]);
    free(places);
    free(messages);
}

void exchange_open(const Ranks *ranks, const Backend *backend) {
    char message[MESSAGE_BYTES] = "";
    if (ranks->count == 1 || !backend->exchange) return;
    const ExchangePeers peers = {ranks->rank, ranks->count, ranks, ranks_any, ranks_broadcast};
    if (backend->exchange->open(&peers, message, sizeof message))
        log_report("vectors and gradients go from card to card by %s", message);
    else
        report_host(ranks, message);
}

void exchange_close(const Backend *backend) {
    if (is_direct(backend)) backend->exchange->close();
}

/* ---- The exchange ---- */

void exchange_gather(const Ranks *ranks, const Backend *backend, const size_t *offsets, float *values) {
    const size_t first = offsets[ranks->rank], count = offsets[ranks->rank + 1] - first;
    const size_t all = offsets[ranks->count];
    if (backend->is_host) {
        ranks_gather(ranks, offsets, sizeof *values, values);
    } else if (is_direct(backend)) {
        backend->exchange->gather(offsets, values);
    } else {
        float *host = memory_need(all, sizeof *host);
        backend->memory->download(count * sizeof *host, values + first, host + first);
        ranks_gather(ranks, offsets, sizeof *host, host);
        backend->memory->upload(all * sizeof *host, host, values);
        free(host);
    }
}

void exchange_scatter_sum(const Ranks *ranks, const Backend *backend, const size_t *offsets, const float *all,
                          float *own) {
    if (backend->is_host) {
        ranks_scatter_sum(ranks, offsets, all, own);
    } else if (is_direct(backend)) {
        backend->exchange->scatter_sum(offsets, all, own);
    } else {
        const size_t count = offsets[ranks->rank + 1] - offsets[ranks->rank], total = offsets[ranks->count];
        float *host = memory_need(total + count, sizeof *host), *sums = host + total;
        backend->memory->download(total * sizeof *host, all, host);
        ranks_scatter_sum(ranks, offsets, host, sums);
        backend->memory->upload(count * sizeof *sums, sums, own);
        free(host);
    }
}

/* Each rank sums a share, and gives the sums to all. */
static void sum_directly(const Ranks *ranks, const ExchangeKernels *exchange, size_t count, float *values) {
    size_t *offsets = memory_need((size_t)ranks->count + 1, sizeof *offsets);
    for (size_t done = 0; done < count; done += SUM_BLOCK) {
        ranks_share(ranks, count - done < SUM_BLOCK ? count - done : SUM_BLOCK, offsets);
        exchange->scatter_sum(offsets, values + done, values + done + offsets[ranks->rank]);
        exchange->gather(offsets, values + done);
    }
    free(offsets);
}

void exchange_sum(const Ranks *ranks, const Backend *backend, size_t count, float *values) {
    if (backend->is_host) {
        ranks_sum(ranks, count, values);
    } else if (is_direct(backend)) {
        sum_directly(ranks, backend->exchange, count, values);
    } else {
        float *host = memory_need(count, sizeof *host);
        backend->memory->download(count * sizeof *host, values, host);
        ranks_sum(ranks, count, host);
        backend->memory->upload(count * sizeof *host, host, values);
        free(host);
    }
}

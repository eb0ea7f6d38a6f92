/* The exchange between cards, by NCCL. It moves values alone: sums are made here, in the order of the ranks,
 * so that they are those of the way over the host to the byte. */
#include "device.h"
#include "nccl_library.h"
#include "nn/backend/plugin.h"
#include "table.h"

#include <chrono>
#include <cstdio>
#include <thread>

typedef struct Exchange {
    const Nccl *nccl;
    ncclComm_t communicator; /* NULL: it is not open */
    size_t rank, count;
} Exchange;

static Exchange exchange;

/* ---- What NCCL is at: no call of it blocks ---- */

/* Of the last call; ncclInProgress while it is not done. */
static ncclResult_t progress() {
    ncclResult_t result;
    const ncclResult_t asked = exchange.nccl->CommGetAsyncError(exchange.communicator, &result);
    return asked == ncclSuccess ? result : asked;
}

static bool failed(ncclResult_t result) {
    return result != ncclSuccess && result != ncclInProgress;
}

static void explain(ncclResult_t result, char *message, size_t size) {
    snprintf(message, size, "%s: %s", exchange.nccl->GetErrorString(result),
             exchange.nccl->GetLastError(nullptr));
}

/* A rank that is gone has said why and ends all, if it could; time for that comes first. */
static void check(ncclResult_t result) {
    char message[256];
    if (!failed(result)) return;
    if (result == ncclRemoteError) std::this_thread::sleep_for(std::chrono::seconds(2));
    explain(result, message, sizeof message);
    device_give_up("the exchange between cards failed: %s", message);
}

/* What other ranks or the network did to what is under way. */
static void look() {
    check(progress());
}

/* After a call after which others may follow only when it is done. */
static void settle(ncclResult_t result) {
    for (; result == ncclInProgress; result = progress())
        std::this_thread::yield();
    check(result);
}

/* ---- Opening and closing ---- */

static bool create_id(const ExchangePeers *peers, ncclUniqueId *id, char *message, size_t size) {
    if (!(exchange.nccl = nccl_load(message, size))) return false;
    const ncclResult_t result = peers->rank ? ncclSuccess : exchange.nccl->GetUniqueId(id);
    if (result != ncclSuccess) explain(result, message, size);
    return result == ncclSuccess;
}

/* One rank may fail at what others would wait for, so that they look after each other. */
static bool all_are_connected(const ExchangePeers *peers, ncclResult_t result, char *message, size_t size) {
    while (!peers->any(peers->ranks, failed(result))) {
        if (!peers->any(peers->ranks, result == ncclInProgress)) return true;
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
        if (result == ncclInProgress) result = progress();
    }
    if (failed(result)) explain(result, message, size);
    return false;
}

static bool open(const ExchangePeers *peers, char *message, size_t size) {
    ncclUniqueId id = {};
    ncclConfig_t config = {sizeof config, NCCL_MAGIC, NCCL_VERSION_2_14_0, false};
    *message = 0;
    if (peers->any(peers->ranks, !create_id(peers, &id, message, size))) return false;
    peers->broadcast(peers->ranks, sizeof id, &id);
    const Nccl *nccl = exchange.nccl;
    ncclComm_t *communicator = &exchange.communicator;
    const ncclResult_t begun = nccl->CommInitRankConfig(communicator, peers->count, id, peers->rank, &config);
    if (!all_are_connected(peers, begun, message, size)) {
        if (*communicator) nccl->CommAbort(*communicator);
        *communicator = nullptr;
        return false;
    }
    exchange.rank = static_cast<size_t>(peers->rank);
    exchange.count = static_cast<size_t>(peers->count);
    device_look(look);
    nccl_describe(nccl, message, size);
    return true;
}

static bool is_open() {
    return exchange.communicator;
}

static void close() {
    device_send();
    device_wait_for_all();
    device_look(nullptr);
    settle(exchange.nccl->CommFinalize(exchange.communicator));
    check(exchange.nccl->CommDestroy(exchange.communicator));
    exchange.communicator = nullptr;
}

extern "C" const char *pm_exchange_library() {
    static char text[512];
    const Nccl *nccl = nccl_load(text, sizeof text);
    if (nccl) nccl_describe(nccl, text, sizeof text);
    return text;
}

/* ---- The exchange ---- */

/* All that is sent and received between these two goes at once, behind what was queued before. */
static void begin() {
    device_send();
    check(exchange.nccl->GroupStart());
}

static void end() {
    settle(exchange.nccl->GroupEnd());
}

static void send(const float *from, size_t count, size_t to) {
    if (count && to != exchange.rank)
        check(exchange.nccl->Send(from, count, ncclFloat32, static_cast<int>(to), exchange.communicator,
                                  device_stream()));
}

static void receive(float *to, size_t count, size_t from) {
    if (count && from != exchange.rank)
        check(exchange.nccl->Recv(to, count, ncclFloat32, static_cast<int>(from), exchange.communicator,
                                  device_stream()));
}

static void gather(const size_t *offsets, float *values) {
    const size_t rank = exchange.rank;
    begin();
    for (size_t r = 0; r < exchange.count; r++) {
        send(values + offsets[rank], offsets[rank + 1] - offsets[rank], r);
        receive(values + offsets[r], offsets[r + 1] - offsets[r], r);
    }
    end();
}

static void scatter_sum(const size_t *offsets, const float *all, float *own) {
    const size_t rank = exchange.rank, ranks = exchange.count, count = offsets[rank + 1] - offsets[rank];
    const float *mine = all + offsets[rank];
    float *parts = static_cast<float *>(device_room(ranks * count * sizeof *parts));
    begin();
    for (size_t r = 0; r < ranks; r++) {
        send(all + offsets[r], offsets[r + 1] - offsets[r], r);
        receive(parts + r * count, count, r);
    }
    end();
    each(count, [=] __device__(size_t i) {
        float sum = rank == 0 ? mine[i] : parts[i];
        for (size_t r = 1; r < ranks; r++)
            sum += r == rank ? mine[i] : parts[r * count + i];
        own[i] = sum;
    });
}

const ExchangeKernels cuda_exchange = {open, is_open, close, gather, scatter_sum};

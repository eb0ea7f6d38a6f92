/* Stands for NCCL between emulated cards (cuda-on-host), whose memory is the host's, of the ranks of one
 * machine: what NCCL moves by itself goes over Unix sockets here, each time that it is asked how far it is.
 * It refuses what NCCL does not allow: calls before the last one is done, and sending outside a group.
 * NCCL_FAULT=R:N lets rank R fail in its group number N, from 1; in 0, in connecting to the others. */
#include "nn/backend/cuda/nccl_library.h"

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <vector>

static const ncclResult_t SYSTEM_ERROR = static_cast<ncclResult_t>(2);
static const ncclResult_t INVALID_USAGE = static_cast<ncclResult_t>(5);
enum { BACKLOG = 64, MICROSECONDS_BETWEEN_LOOKS = 50 };

struct Part {
    char *bytes;
    size_t left;
};

struct Peer {
    int socket = -1;
    std::deque<Part> out, in;
};

struct ncclComm {
    int rank, listener, fault_group;
    std::vector<Peer> peers;
    ncclUniqueId id;
    ncclResult_t state;
    bool in_group;
    int groups;
};

/* There is one at a time; groups do not name theirs. */
static ncclComm *current;
static const char *last_error = "";

static ncclResult_t error(ncclResult_t result, const char *text) {
    last_error = text;
    return result;
}

/* ---- Sockets: each rank connects to those before it ---- */

static sockaddr_un address_of(const ncclComm *comm, int rank) {
    sockaddr_un address = {};
    address.sun_family = AF_UNIX;
    snprintf(address.sun_path + 1, sizeof address.sun_path - 1, "pm-nccl-%.32s-%d", comm->id.internal, rank);
    return address;
}

static int open_socket() {
    return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
}

static void listen_to_later_ranks(ncclComm *comm) {
    const sockaddr_un address = address_of(comm, comm->rank);
    comm->listener = open_socket();
    if (bind(comm->listener, reinterpret_cast<const sockaddr *>(&address), sizeof address) ||
        listen(comm->listener, BACKLOG))
        comm->state = error(SYSTEM_ERROR, "cannot listen");
}

static void connect_to(ncclComm *comm, int rank) {
    const sockaddr_un address = address_of(comm, rank);
    const int made = open_socket();
    if (connect(made, reinterpret_cast<const sockaddr *>(&address), sizeof address) ||
        write(made, &comm->rank, sizeof comm->rank) != sizeof comm->rank)
        close(made);
    else
        comm->peers[static_cast<size_t>(rank)].socket = made;
}

static void accept_one(ncclComm *comm) {
    int rank;
    const int made = accept4(comm->listener, nullptr, nullptr, SOCK_CLOEXEC);
    if (made < 0) return;
    if (read(made, &rank, sizeof rank) == sizeof rank) comm->peers[static_cast<size_t>(rank)].socket = made;
}

static bool are_all_connected(ncclComm *comm) {
    bool all = true;
    accept_one(comm);
    for (int r = 0; r < static_cast<int>(comm->peers.size()); r++) {
        if (r < comm->rank && comm->peers[static_cast<size_t>(r)].socket < 0) connect_to(comm, r);
        all = all && (r == comm->rank || comm->peers[static_cast<size_t>(r)].socket >= 0);
    }
    return all;
}

/* ---- What is under way ---- */

template <typename Move> static bool is_empty(std::deque<Part> &parts, Move move) {
    while (!parts.empty()) {
        Part &part = parts.front();
        const ssize_t moved = move(part);
        if (!moved || (moved < 0 && errno != EAGAIN)) {
            current->state = error(ncclRemoteError, "a rank is gone");
            return false;
        }
        if (moved < 0) return false;
        part.bytes += moved;
        part.left -= static_cast<size_t>(moved);
        if (!part.left) parts.pop_front();
    }
    return true;
}

static bool are_all_moved(ncclComm *comm) {
    bool all = true;
    for (Peer &peer : comm->peers) {
        all &= is_empty(peer.out, [&](const Part &part) {
            return send(peer.socket, part.bytes, part.left, MSG_DONTWAIT | MSG_NOSIGNAL);
        });
        all &= is_empty(peer.in, [&](const Part &part) {
            return recv(peer.socket, part.bytes, part.left, MSG_DONTWAIT);
        });
    }
    return all;
}

static ncclResult_t refuse_unless(bool allowed) {
    return allowed ? ncclSuccess : error(INVALID_USAGE, "called at the wrong time");
}

/* ---- NCCL's functions ---- */

extern "C" {

ncclResult_t ncclGetVersion(int *version) {
    *version = 21400;
    return ncclSuccess;
}

const char *ncclGetErrorString(ncclResult_t result) {
    return result == SYSTEM_ERROR      ? "system error"
           : result == ncclRemoteError ? "remote error"
                                       : "invalid usage";
}

const char *ncclGetLastError(ncclComm_t) {
    return last_error;
}

ncclResult_t ncclGetUniqueId(ncclUniqueId *id) {
    unsigned long numbers[2];
    if (getrandom(numbers, sizeof numbers, 0) != sizeof numbers) return error(SYSTEM_ERROR, "no random");
    snprintf(id->internal, sizeof id->internal, "%016lx%016lx", numbers[0], numbers[1]);
    return ncclSuccess;
}

ncclResult_t ncclCommInitRankConfig(ncclComm_t *comm, int count, ncclUniqueId id, int rank,
                                    ncclConfig_t *config) {
    int fault_rank = -1, fault_group = -1;
    const char *fault = getenv("NCCL_FAULT");
    if (config->size != sizeof *config || config->magic != NCCL_MAGIC || config->version < 21400 ||
        config->blocking || current)
        return error(INVALID_USAGE, "not so");
    if (fault) sscanf(fault, "%d:%d", &fault_rank, &fault_group);
    current = *comm = new ncclComm{};
    (*comm)->rank = rank;
    (*comm)->fault_group = fault_rank == rank ? fault_group : -1;
    (*comm)->peers.resize(static_cast<size_t>(count));
    (*comm)->id = id;
    (*comm)->state = ncclInProgress;
    listen_to_later_ranks(*comm);
    return ncclInProgress;
}

ncclResult_t ncclCommGetAsyncError(ncclComm_t comm, ncclResult_t *result) {
    if (comm->state == ncclInProgress && comm->groups == comm->fault_group) {
        comm->state = error(SYSTEM_ERROR, "as it was asked to");
    } else if (comm->state == ncclInProgress) {
        const bool done = comm->groups ? are_all_moved(comm) : are_all_connected(comm);
        if (done)
            comm->state = ncclSuccess;
        else
            usleep(MICROSECONDS_BETWEEN_LOOKS);
    }
    *result = comm->state;
    return ncclSuccess;
}

ncclResult_t ncclGroupStart() {
    const bool allowed = current && current->state == ncclSuccess && !current->in_group;
    if (allowed) current->in_group = true;
    return refuse_unless(allowed);
}

ncclResult_t ncclSend(const void *from, size_t count, ncclDataType_t type, int to, ncclComm_t comm,
                      cudaStream_t) {
    if (type != ncclFloat32 || !comm->in_group) return refuse_unless(false);
    char *bytes = const_cast<char *>(static_cast<const char *>(from));
    comm->peers[static_cast<size_t>(to)].out.push_back({bytes, count * sizeof(float)});
    return ncclSuccess;
}

ncclResult_t ncclRecv(void *to, size_t count, ncclDataType_t type, int from, ncclComm_t comm, cudaStream_t) {
    if (type != ncclFloat32 || !comm->in_group) return refuse_unless(false);
    comm->peers[static_cast<size_t>(from)].in.push_back({static_cast<char *>(to), count * sizeof(float)});
    return ncclSuccess;
}

ncclResult_t ncclGroupEnd() {
    if (!current->in_group) return refuse_unless(false);
    current->in_group = false;
    current->groups++;
    return current->state = ncclInProgress;
}

ncclResult_t ncclCommFinalize(ncclComm_t comm) {
    if (comm->state != ncclSuccess) return refuse_unless(false);
    return comm->state = ncclInProgress;
}

ncclResult_t ncclCommAbort(ncclComm_t comm) {
    for (const Peer &peer : comm->peers)
        if (peer.socket >= 0) close(peer.socket);
    close(comm->listener);
    delete comm;
    current = nullptr;
    return ncclSuccess;
}

ncclResult_t ncclCommDestroy(ncclComm_t comm) {
    if (comm->state != ncclSuccess) return refuse_unless(false);
    return ncclCommAbort(comm);
}
}

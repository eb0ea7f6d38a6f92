/* What the exchange uses of NCCL, whose library is loaded when it is asked for, so that the plug-in needs
 * neither it nor its header. Names, values and layouts are those of nccl.h as of 2.14, the first version with
 * communicators that do not block, which later ones keep for programs that say so:
 * docs.nvidia.com/deeplearning/nccl/user-guide/docs/api.html, "Communicator Creation" and "Point To Point".
 */
#ifndef CUDA_NCCL_LIBRARY_H
#define CUDA_NCCL_LIBRARY_H

#include <cuda_runtime.h>

#include <cstddef>

enum ncclResult_t { ncclSuccess = 0, ncclRemoteError = 6, ncclInProgress = 7 }; /* others are errors, too */
enum ncclDataType_t { ncclFloat32 = 7 };
enum { NCCL_MAGIC = 0xcafebeef, NCCL_VERSION_2_14_0 = 21400 };

typedef struct ncclComm *ncclComm_t;

typedef struct ncclUniqueId {
    char internal[128];
} ncclUniqueId;

typedef struct ncclConfig_t {
    size_t size;
    unsigned magic, version; /* of this struct */
    int blocking;
} ncclConfig_t;

typedef struct Nccl {
    ncclResult_t (*GetVersion)(int *version);
    const char *(*GetErrorString)(ncclResult_t result);
    const char *(*GetLastError)(ncclComm_t communicator);
    ncclResult_t (*GetUniqueId)(ncclUniqueId *id);
    ncclResult_t (*CommInitRankConfig)(ncclComm_t *communicator, int count, ncclUniqueId id, int rank,
                                       ncclConfig_t *config);
    ncclResult_t (*CommGetAsyncError)(ncclComm_t communicator, ncclResult_t *result);
    ncclResult_t (*CommFinalize)(ncclComm_t communicator);
    ncclResult_t (*CommDestroy)(ncclComm_t communicator);
    ncclResult_t (*CommAbort)(ncclComm_t communicator);
    ncclResult_t (*GroupStart)();
    ncclResult_t (*GroupEnd)();
    ncclResult_t (*Send)(const void *from, size_t count, ncclDataType_t type, int to, ncclComm_t communicator,
                         cudaStream_t stream);
    ncclResult_t (*Recv)(void *to, size_t count, ncclDataType_t type, int from, ncclComm_t communicator,
                         cudaStream_t stream);
} Nccl;

/* Loads it for as long as the program lives; NULL with a message that says what is missing. */
const Nccl *nccl_load(char *message, size_t size);

/* "NCCL 2.28.9". */
void nccl_describe(const Nccl *nccl, char *text, size_t size);

#endif

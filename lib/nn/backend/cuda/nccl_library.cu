#include "nccl_library.h"

#include <cstdio>
#include <dlfcn.h>

/* The card on the processor has a stand-in of its own for it. */
#ifdef __CUDACC__
#define LIBRARY "libnccl.so.2"
#else
#define LIBRARY "libnccl-on-host.so.2"
#endif

template <typename Function> static bool find(void *library, const char *name, Function *function) {
    *function = reinterpret_cast<Function>(dlsym(library, name));
    return *function;
}

static bool find_all(void *library, Nccl *nccl) {
    return find(library, "ncclGetVersion", &nccl->GetVersion) &&
           find(library, "ncclGetErrorString", &nccl->GetErrorString) &&
           find(library, "ncclGetLastError", &nccl->GetLastError) &&
           find(library, "ncclGetUniqueId", &nccl->GetUniqueId) &&
           find(library, "ncclCommInitRankConfig", &nccl->CommInitRankConfig) &&
           find(library, "ncclCommGetAsyncError", &nccl->CommGetAsyncError) &&
           find(library, "ncclCommFinalize", &nccl->CommFinalize) &&
           find(library, "ncclCommDestroy", &nccl->CommDestroy) &&
           find(library, "ncclCommAbort", &nccl->CommAbort) &&
           find(library, "ncclGroupStart", &nccl->GroupStart) &&
           find(library, "ncclGroupEnd", &nccl->GroupEnd) && find(library, "ncclSend", &nccl->Send) &&
           find(library, "ncclRecv", &nccl->Recv);
}

const Nccl *nccl_load(char *message, size_t size) {
    static Nccl nccl;
    void *library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);
    if (!library)
        snprintf(message, size, "NCCL cannot be loaded: %s", dlerror());
    else if (find_all(library, &nccl))
        return &nccl;
    else
        snprintf(message, size, LIBRARY " is older than 2.14 and has not all that is needed");
    return nullptr;
}

void nccl_describe(const Nccl *nccl, char *text, size_t size) {
    int version = 0;
    nccl->GetVersion(&version);
    snprintf(text, size, "NCCL %d.%d.%d", version / 10000, version / 100 % 100, version % 100);
}

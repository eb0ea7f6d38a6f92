#include "nn/backend/backend.h"

#include "core/log.h"
#include "nn/backend/cpu/kernels.h"
#include "nn/backend/cpu/onednn.h"
#include "nn/backend/plugin.h"

#include <string.h>

bool backend_has_bf16(void) {
    return onednn_has_bf16();
}

const char *backend_describe(void) {
    return onednn_has_bf16()     ? "matrix products: f32 and bf16 by oneDNN"
           : onednn_is_present() ? "matrix products: f32 by oneDNN; no bf16 on this processor"
                                 : "matrix products: f32 by OpenBLAS; built without oneDNN, so no bf16";
}

const Backend *backend_find(const char *device, const char *dtype, Error *error) {
    if (plugin_knows(device)) return plugin_backend(device, dtype, error);
    if (strcmp(device, "cpu")) {
        error_set(error, "there is no device '%s'; there are cpu, cuda, cuda:N and cuda-on-host", device);
        return NULL;
    }
    log_detail("%s", backend_describe());
    if (!strcmp(dtype, "f32")) return &backend_cpu;
    if (!strcmp(dtype, "bf16") && onednn_has_bf16()) return &backend_cpu_bf16;
    error_set(error, "products in %s need %s; use f32", dtype,
              onednn_is_present() ? "a processor with AVX-512 BF16 or AMX" : "a build with oneDNN");
    return NULL;
}

#include "nn/backend/backend.h"

#include "core/log.h"
#include "nn/backend/cpu/bf16_matmul.h"
#include "nn/backend/cpu/kernels.h"
#include "nn/backend/cpu/onednn.h"
#include "nn/backend/plugin.h"

#include <stdio.h>
#include <string.h>

bool backend_has_bf16(void) {
    return bf16_matmul_is_present() || onednn_has_bf16();
}

bool backend_rounds(const char *device) {
    return plugin_knows(device) || backend_has_bf16();
}

static const char *describe_products(void) {
    if (bf16_matmul_is_present())
        return onednn_is_present() ? "f32 by oneDNN, bf16 by AVX-512" : "f32 by OpenBLAS, bf16 by AVX-512";
    return onednn_has_bf16()     ? "f32 and bf16 by oneDNN"
           : onednn_is_present() ? "f32 by oneDNN; no bf16 on this processor"
                                 : "f32 by OpenBLAS; no bf16 on this processor without oneDNN";
}

const char *backend_describe(void) {
    static char text[8192]; /* for a path */
    snprintf(text, sizeof text, "matrix products: %s; --device cuda: %s", describe_products(),
             plugin_describe());
    return text;
}

bool backend_check_device(const char *device, Error *error) {
    return !strcmp(device, "cpu") || plugin_knows(device) ||
           error_set(error, "there is no device '%s'; there are cpu, cuda, cuda:N and cuda-on-host", device);
}

const Backend *backend_find(const char *device, const char *dtype, Error *error) {
    if (!device) device = "cpu";
    if (!backend_check_device(device, error)) return NULL;
    if (plugin_knows(device)) return plugin_backend(device, dtype, error);
    log_detail("matrix products: %s", describe_products());
    if (!strcmp(dtype, "f32")) return &backend_cpu;
    if (!strcmp(dtype, "bf16") && backend_has_bf16()) return &backend_cpu_bf16;
    error_set(error, "products in %s need %s; use f32", dtype,
              onednn_is_present() ? "a processor with AVX-512 BF16 or AMX"
                                  : "a processor with AVX-512 BF16, or a build with oneDNN");
    return NULL;
}

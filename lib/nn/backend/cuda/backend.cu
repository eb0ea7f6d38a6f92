/* What the plug-in gives to the program. */
#include "device.h"
#include "nn/backend/plugin.h"
#include "table.h"

enum { AT_ONCE = 1 << 26, SCORE_ROWS = 2048, SCORE_COLUMNS = 32768 };

static Backend backend_of(const char *name, bool rounds, decltype(Backend::matmul) matmul,
                          decltype(Backend::matmul_with_bias) matmul_with_bias,
                          const AttentionKernels *attention) {
    return {name,
            rounds,
            false,
            AT_ONCE,
            SCORE_ROWS,
            SCORE_COLUMNS,
            matmul,
            cuda_release_packing,
            matmul_with_bias,
            &cuda_memory,
            &cuda_staging,
            &cuda_elements,
            &cuda_columns,
            &cuda_rows,
            &cuda_segments,
            &cuda_activations,
            &cuda_layer_norm,
            attention,
            &cuda_sequences,
            &cuda_losses,
            &cuda_scores,
            &cuda_optimizer,
            &cuda_exchange};
}

extern "C" const Backend *pm_backend_open(const PluginRequest *request, char *message, size_t size) {
    static const Backend f32 = backend_of("cuda", false, cuda_matmul, cuda_matmul_with_bias, &cuda_attention);
    static const Backend bf16 =
        backend_of("cuda bf16", true, cuda_matmul_bf16, cuda_matmul_with_bias_bf16, &cuda_attention_bf16);
    if (!device_open(request->card, request->give_up, message, size)) return nullptr;
    return request->bf16 ? &bf16 : &f32;
}

extern "C" const unsigned pm_backend_version = BACKEND_VERSION;

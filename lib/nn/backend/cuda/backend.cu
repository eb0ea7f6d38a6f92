/* What the plug-in gives to the program. */
#include "device.h"
#include "nn/backend/plugin.h"
#include "table.h"

enum { AT_ONCE = 1 << 26, LOSS_ROWS = 2048 };

static const Backend backend_f32 = {"cuda",
                                    false,
                                    false,
                                    AT_ONCE,
                                    LOSS_ROWS,
                                    cuda_matmul,
                                    cuda_release_packing,
                                    &cuda_memory,
                                    &cuda_elements,
                                    &cuda_columns,
                                    &cuda_rows,
                                    &cuda_segments,
                                    &cuda_activations,
                                    &cuda_layer_norm,
                                    &cuda_attention,
                                    &cuda_sequences,
                                    &cuda_losses,
                                    &cuda_scores,
                                    &cuda_optimizer};

static const Backend backend_bf16 = {"cuda bf16",
                                     true,
                                     false,
                                     AT_ONCE,
                                     LOSS_ROWS,
                                     cuda_matmul_bf16,
                                     cuda_release_packing,
                                     &cuda_memory,
                                     &cuda_elements,
                                     &cuda_columns,
                                     &cuda_rows,
                                     &cuda_segments,
                                     &cuda_activations,
                                     &cuda_layer_norm,
                                     &cuda_attention,
                                     &cuda_sequences,
                                     &cuda_losses,
                                     &cuda_scores,
                                     &cuda_optimizer};

extern "C" const Backend *pm_backend_open(const PluginRequest *request, char *message, size_t size) {
    if (!device_open(request->card, request->give_up, message, size)) return nullptr;
    return request->bf16 ? &backend_bf16 : &backend_f32;
}

extern "C" const unsigned pm_backend_version = BACKEND_VERSION;

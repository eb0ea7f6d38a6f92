#include "nn/backend/cpu/kernels.h"

/* A product's result of this many values is still in the cache when it is worked on next. */
enum { AT_ONCE = 1 << 21, SCORE_ROWS = 256, SCORE_COLUMNS = 4096 };

#define CPU_KERNELS                                                                                          \
    .is_host = true, .at_once = AT_ONCE, .score_rows = SCORE_ROWS, .score_columns = SCORE_COLUMNS,           \
    .release_packing = cpu_release_packing, .memory = &cpu_memory, .elements = &cpu_elements,                \
    .columns = &cpu_columns, .rows = &cpu_rows, .segments = &cpu_segments, .activations = &cpu_activations,  \
    .layer_norm = &cpu_layer_norm, .attention = &cpu_attention, .sequences = &cpu_sequences,                 \
    .losses = &cpu_losses, .scores = &cpu_scores, .optimizer = &cpu_optimizer

const Backend backend_cpu = {.name = "cpu", .matmul = cpu_matmul_f32, CPU_KERNELS};
const Backend backend_cpu_bf16 = {.name = "cpu bf16",
                                  .rounds = true,
                                  .matmul = cpu_matmul_bf16,
                                  .matmul_with_bias = cpu_matmul_with_bias_bf16,
                                  CPU_KERNELS};

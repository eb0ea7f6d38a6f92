/* Matrix products by oneDNN, for the backends of the cpu. In a build without it there are none. */
#ifndef NN_BACKEND_CPU_ONEDNN_H
#define NN_BACKEND_CPU_ONEDNN_H

#include "nn/backend/backend.h"
#include "nn/backend/cpu/packed_matrix.h"

bool onednn_is_present(void);

/* Whether this processor multiplies bf16 (AVX-512 BF16 or AMX). */
bool onednn_has_bf16(void);

/* As Backend.matmul with m, n, k > 0; false when oneDNN cannot, c untouched. */
bool onednn_matmul_f32(size_t m, size_t n, size_t k, Matrix a, Matrix b, float beta, float *c,
                       size_t c_stride);
bool onednn_matmul_bf16(size_t m, size_t n, size_t k, Matrix a, Matrix b, float beta, float *c,
                        size_t c_stride);

/* As above, in bf16 or f32, with a copy of b in its packing: of b.values, rounded here. For few sizes of m:
 * each takes a while when it is first met. */
bool onednn_matmul_packed(bool bf16, size_t m, size_t n, size_t k, Matrix a, Matrix b, float beta, float *c,
                          size_t c_stride);

/* Of a packed matrix; NULL: does nothing. */
void onednn_destroy_memory(struct dnnl_memory *memory);

#endif

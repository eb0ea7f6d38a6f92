/* Products in bf16 by AVX-512 BF16, for the backends of the cpu. oneDNN's lay out anew what they read, or
 * take longer where it is not in the cache. */
#ifndef NN_BACKEND_CPU_BF16_MATMUL_H
#define NN_BACKEND_CPU_BF16_MATMUL_H

#include "nn/backend/matrix.h"

/* Whether this processor has it, and no AMX, with which oneDNN is the faster one. */
bool bf16_matmul_is_present(void);

/* As Backend.matmul with m, n, k > 0, where it is present: of a.rounded and b.rounded or, where b is packed,
 * of the copy in its packing, made from b.values. bias [n] (NULL: none) is added to each row. No sum depends
 * on the number of threads. */
void bf16_matmul(size_t m, size_t n, size_t k, Matrix a, Matrix b, const float *bias, float beta, float *c,
                 size_t c_stride);

#endif

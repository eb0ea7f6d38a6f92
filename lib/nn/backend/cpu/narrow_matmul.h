/* Products one side of which is short, in f32, for the backends of the cpu: there is little to gain from
 * laying operands out anew, as general products do, and small_matmul is fast on them as they lie. */
#ifndef NN_BACKEND_CPU_NARROW_MATMUL_H
#define NN_BACKEND_CPU_NARROW_MATMUL_H

#include "nn/backend/matrix.h"

/* As Backend.matmul with m, n, k > 0; false where a general product is the better one, c untouched then.
 * Threads share c, or where a and b are long the terms, whose sums then follow from the number of threads. */
bool narrow_matmul(size_t m, size_t n, size_t k, Matrix a, Matrix b, float beta, float *c, size_t c_stride);

#endif

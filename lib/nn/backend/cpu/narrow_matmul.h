/* Products one side of which is short, in f32, for the backends of the cpu: there is little to gain from
 * laying operands out anew, as general products do, and small_matmul is fast on them as they lie. */
#ifndef NN_BACKEND_CPU_NARROW_MATMUL_H
#define NN_BACKEND_CPU_NARROW_MATMUL_H

#include "nn/backend/matrix.h"

/* As Backend.matmul with m, n, k > 0, each thread some rows of c, whose bits are the same on any threads;
 * false where a general product is the better one, c untouched then. */
bool narrow_matmul(size_t m, size_t n, size_t k, Matrix a, Matrix b, float beta, float *c, size_t c_stride);

#endif

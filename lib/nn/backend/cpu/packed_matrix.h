/* Copies of right operands as products of the cpu read them fastest. */
#ifndef NN_BACKEND_CPU_PACKED_MATRIX_H
#define NN_BACKEND_CPU_PACKED_MATRIX_H

#include "nn/backend/matrix.h"

typedef struct PackedMatrix {
    void *bytes;
    struct dnnl_memory *memory; /* oneDNN's, over them; NULL: they are laid out by bf16_matmul */
} PackedMatrix;

#endif

/* The kernels of the cpu, and what several of them share. */
#ifndef NN_BACKEND_CPU_KERNELS_H
#define NN_BACKEND_CPU_KERNELS_H

#include "nn/backend/backend.h"

extern const MemoryKernels cpu_memory;
extern const ElementKernels cpu_elements;
extern const ColumnKernels cpu_columns;
extern const RowKernels cpu_rows;
extern const SegmentKernels cpu_segments;
extern const ActivationKernels cpu_activations;
extern const LayerNormKernels cpu_layer_norm;
extern const AttentionKernels cpu_attention;
extern const SequenceKernels cpu_sequences;
extern const LossKernels cpu_losses;
extern const ScoreKernels cpu_scores;
extern const OptimizerKernels cpu_optimizer;

/* Backend.matmul, in f32 and in bf16. */
void cpu_matmul_f32(size_t m, size_t n, size_t k, Matrix a, Matrix b, float beta, float *c, size_t c_stride);
void cpu_matmul_bf16(size_t m, size_t n, size_t k, Matrix a, Matrix b, float beta, float *c, size_t c_stride);

/* Backend.matmul_with_bias. */
void cpu_matmul_with_bias_bf16(size_t m, size_t n, size_t k, Matrix a, Matrix b, const float *bias, float *c);

/* Backend.release_packing. */
void cpu_release_packing(Packing *packing);

extern const Backend backend_cpu_bf16;

/* This many rows are added up by one thread. */
enum { SUM_ROWS = 256 };

/* to [columns] += the sum of the rows order[0 … count − 1] of from, or of its first `count` where order is
 * NULL. */
void cpu_add_row_sums(size_t count, size_t columns, const float *from, const uint32_t *order, float *to,
                      Arena *scratch);

/* Below this many elements a loop runs on one thread. */
enum { PARALLEL_ELEMENTS = 16384 };

static inline size_t smaller(size_t a, size_t b) {
    return a < b ? a : b;
}

/* How many pieces of a size make up the whole, or how large they are when there are so many. */
static inline size_t shares(size_t whole, size_t size) {
    return (whole + size - 1) / size;
}

/* How many of a product's columns one thread takes, by whole panels, where there are `blocks` blocks of rows:
 * all, unless these are too few for all threads. */
static inline size_t columns_for_thread(size_t columns, size_t panel, size_t blocks, size_t threads) {
    return shares(shares(columns, shares(threads, blocks)), panel) * panel;
}

/* to += from. */
static inline void add_row(size_t count, const float *from, float *to) {
#pragma omp simd
    for (size_t i = 0; i < count; i++)
        to[i] += from[i];
}

static inline void copy_rows(size_t rows, size_t columns, const float *from, float *to) {
    if (rows && columns) __builtin_memcpy(to, from, rows * columns * sizeof *to);
}

#endif

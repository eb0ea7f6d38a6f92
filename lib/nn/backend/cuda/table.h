/* The groups of the CUDA backend's table, each in the file of its name. */
#ifndef CUDA_TABLE_H
#define CUDA_TABLE_H

#include "nn/backend/backend.h"

extern const MemoryKernels cuda_memory;
extern const StagingKernels cuda_staging;
extern const ElementKernels cuda_elements;
extern const ColumnKernels cuda_columns;
extern const RowKernels cuda_rows;
extern const SegmentKernels cuda_segments;
extern const ActivationKernels cuda_activations;
extern const LayerNormKernels cuda_layer_norm;
extern const AttentionKernels cuda_attention, cuda_attention_bf16;
extern const SequenceKernels cuda_sequences;
extern const LossKernels cuda_losses;
extern const ScoreKernels cuda_scores;
extern const OptimizerKernels cuda_optimizer;
extern const ExchangeKernels cuda_exchange;

/* ScoreKernels.add_best, and the most that it keeps of a row. */
enum { CUDA_BEST_MOST = 1024 };
void cuda_add_best(const ScoreTile *tile, const BestCandidates *best);

/* Backend.matmul and its like in f32 alone, and in bf16 where both operands have it. */
void cuda_matmul(size_t m, size_t n, size_t k, Matrix a, Matrix b, float beta, float *c, size_t c_stride);
void cuda_matmul_bf16(size_t m, size_t n, size_t k, Matrix a, Matrix b, float beta, float *c,
                      size_t c_stride);
void cuda_matmul_with_bias(size_t m, size_t n, size_t k, Matrix a, Matrix b, const float *bias, float *c);
void cuda_matmul_with_bias_bf16(size_t m, size_t n, size_t k, Matrix a, Matrix b, const float *bias,
                                float *c);
void cuda_release_packing(Packing *packing);

#endif

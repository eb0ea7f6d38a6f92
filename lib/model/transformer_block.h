/* A transformer block. Those of BERT, CLIP, merge_attn and SASRec differ in their names, in where the layer
 * norms stand, and in a few numbers. */
#ifndef MODEL_TRANSFORMER_BLOCK_H
#define MODEL_TRANSFORMER_BLOCK_H

#include "nn/operators/operators.h"

typedef struct LinearLayer {
    Parameter *weight, *bias;
} LinearLayer;

typedef struct NormLayer {
    Parameter *weight, *bias;
} NormLayer;

/* What follows the block's prefix in the names of its parameters. */
typedef struct BlockNames {
    const char *query, *key, *value, *output, *attention_norm, *wide, *narrow, *feed_forward_norm;
} BlockNames;

extern const BlockNames block_names_bert;

typedef struct BlockShape {
    size_t width, intermediate, heads;
    double epsilon;
    Activation activation;
    bool norm_first;     /* x + f(norm(x)) instead of norm(x + f(x)) */
    bool attention_bias; /* biases in query, key, value and output */
    bool causal;
    InitialValue initial; /* of the matrices */
    ParameterGroup group;
} BlockShape;

typedef struct TransformerBlock {
    BlockShape shape;
    LinearLayer query, key, value, output, wide, narrow;
    LinearLayer joined; /* query, key and value as one */
    NormLayer attention_norm, feed_forward_norm;
} TransformerBlock;

/* Adds NAME.weight [out, in] and, with `bias`, NAME.bias [out]. */
LinearLayer linear_layer_create(ParameterSet *set, ParameterGroup group, InitialValue initial, size_t out,
                                size_t in, bool bias, const char *format, ...)
    __attribute__((format(printf, 7, 8)));
NormLayer norm_layer_create(ParameterSet *set, ParameterGroup group, size_t width, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

TransformerBlock transformer_block_create(ParameterSet *set, const BlockShape *shape, const BlockNames *names,
                                          const char *prefix);

/* x [rows, width] → the same shape; each segment attends to itself. Dropout falls on the probabilities and on
 * what attention and feed-forward add. */
Tensor *transformer_block_forward(Tape *tape, const TransformerBlock *block, Tensor *x, Segments segments,
                                  double dropout);

#endif

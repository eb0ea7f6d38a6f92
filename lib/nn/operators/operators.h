/* The operators, each with its forward and its backward step in one file. All append to the tape and return a
 * new tensor; arrays passed to them are the host's and must outlive the step unchanged. A parameter that is
 * not trainable gets no gradient. */
#ifndef NN_OPERATORS_H
#define NN_OPERATORS_H

#include "core/ranks.h"
#include "nn/parameters.h"
#include "nn/tape.h"

/* activation(x · weightᵀ + bias): x [rows, in], weight [out, in], bias [out] or NULL. GELU is the erf form;
 * quick GELU is x·σ(1.702x). */
Tensor *linear(Tape *tape, Tensor *x, Parameter *weight, Parameter *bias, Activation activation);

/* Two layers with biases and an activation between them: wide_weight [wide, in], narrow_weight [in, wide]. */
typedef struct LinearPair {
    Parameter *wide_weight, *wide_bias, *narrow_weight, *narrow_bias;
    Activation activation;
} LinearPair;

/* activation(x · wide_weightᵀ + wide_bias) · narrow_weightᵀ + narrow_bias. */
Tensor *feed_forward(Tape *tape, Tensor *x, const LinearPair *pair);

/* Layer norm over the columns of x, with weight and bias. */
Tensor *layer_norm(Tape *tape, Tensor *x, Parameter *weight, Parameter *bias, double epsilon);

/* layer_norm(residual + dropout(x)). */
Tensor *residual_layer_norm(Tape *tape, Tensor *residual, Tensor *x, double dropout, Parameter *weight,
                            Parameter *bias, double epsilon);

/* residual + dropout(x). */
Tensor *residual_add(Tape *tape, Tensor *residual, Tensor *x, double dropout);

/* x itself when the rate is 0 or the tape does not record. */
Tensor *dropout(Tape *tape, Tensor *x, double rate);

/* a ∘ b, element by element. */
Tensor *multiply(Tape *tape, Tensor *a, Tensor *b);

Tensor *relu(Tape *tape, Tensor *x);

/* Each row divided by its Euclidean norm (at least 1e-12). */
Tensor *normalise_rows(Tape *tape, Tensor *x);

/* The columns of a, then those of b. */
Tensor *join_columns(Tape *tape, Tensor *a, Tensor *b);

/* Columns first … first + count − 1. */
Tensor *take_columns(Tape *tape, Tensor *x, size_t first, size_t count);

/* For sequences whose rows stand step by step (Steps in kernels.h): in each row, element by element, the
 * `kernel` values that stand (kernel − 1)·dilation, …, dilation and 0 steps before it in its sequence, zero
 * before the first step: [rows, columns · kernel]. A linear layer over it is a causal convolution, its weight
 * [out, in, 1, kernel]. */
Tensor *causal_windows(Tape *tape, Tensor *x, Segments steps, size_t kernel, size_t dilation);

/* A gated recurrent unit without biases over such sequences. `inputs` [rows, 3·D] are the products of the
 * inputs with their weights, gates in PyTorch's order (reset, update, new); recurrent [3·D, D]. The hidden
 * states [rows, D]. */
Tensor *gated_recurrence(Tape *tape, Tensor *inputs, Parameter *recurrent, Segments steps);

/* Softmax attention within each segment, in `heads` parts of the columns: the queries of segment i see the
 * keys of segment i, with `causal` only those up to their own place. q [rows, D], k and v [key rows, D];
 * scores are multiplied with 1/√(D / heads). Dropout falls on the probabilities. */
Tensor *attention(Tape *tape, Tensor *q, Tensor *k, Tensor *v, Segments queries, Segments keys, size_t heads,
                  bool causal, double dropout);

/* attention within each segment of its own queries, keys and values: the three thirds of the columns of qkv
 * [rows, 3·D]. */
Tensor *self_attention(Tape *tape, Tensor *qkv, Segments segments, size_t heads, bool causal, double dropout);

/* One addend of embedding_sum: row rows[i] of the table for row i, or always row `row` when rows is NULL. The
 * row `padding` of the table takes no gradient (−1: all do). */
typedef struct EmbeddingRows {
    Parameter *table;
    const uint32_t *rows;
    uint32_t row;
    int64_t padding;
} EmbeddingRows;

/* base (or nothing, when NULL) plus a row of each table: [count, D]. */
Tensor *embedding_sum(Tape *tape, Tensor *base, const EmbeddingRows *tables, size_t table_count,
                      size_t count);

/* Row rows[i] of x as row i: [count, D]. */
Tensor *gather_rows(Tape *tape, Tensor *x, const uint32_t *rows, size_t count);

/* The rows that each rank has, one behind the other: rank r has those of segment r of `rows`, here x. In the
 * backward step each gets the sum, in the order of the ranks, of what all found for its own. With one rank it
 * is x itself; else all must take it at the same place. */
Tensor *gather_ranks(Tape *tape, const Ranks *ranks, Tensor *x, Segments rows);

/* `count` rows of zeros behind x. */
Tensor *append_zero_rows(Tape *tape, Tensor *x, size_t count);

/* Images of the host [images, channels, size, size], cut into patches, one a row from the top left, each in
 * the order of a convolution's weights (channel, row, column): [images · (size / patch)², channels · patch²].
 * No gradient goes back. */
Tensor *cut_patches(Tape *tape, const float *pixels, size_t images, size_t channels, size_t size,
                    size_t patch);

/* In each segment the rows of a, then those of b. *joined receives the new segments. */
Tensor *join_segments(Tape *tape, Tensor *a, Segments a_segments, Tensor *b, Segments b_segments,
                      Segments *joined);

/* A parameter (a vector) as one more row before each segment. */
Tensor *prepend_row(Tape *tape, Parameter *row, Tensor *x, Segments segments, Segments *longer);

/* The mean of the rows of each segment, zero for an empty one: [segments, D]. */
Tensor *segment_mean(Tape *tape, Tensor *x, Segments segments);

/* The first row of each segment, zero for an empty one: [segments, D]. */
Tensor *segment_first(Tape *tape, Tensor *x, Segments segments);

/* Σ weights[i] · losses[i] of scalars. */
Tensor *weighted_sum(Tape *tape, Tensor *const *losses, const double *weights, size_t count);

/* What the next position of each row of hidden states must be: formats in reference "DAP". */
typedef struct DebiasedTargets {
    size_t positions;             /* rows of the hidden states, user by user */
    const uint32_t *targets;      /* by position: the row of `items` that comes next */
    const uint32_t *users;        /* by position */
    Segments rows;                /* by user: his items of the batch, in own_items */
    const uint32_t *own_items;    /* rows of `items`, padding left out */
    const float *log_popularity;  /* by row of `items` */
    const float *log_occurrences; /* by row of `items`: log of how often it stands in the batch */
} DebiasedTargets;

/* The debiased in-batch softmax cross entropy (DAP): hidden [positions, D], items [distinct, D]. An item that
 * stands n times in the batch counts n times; those in the user's own row do not count, the target counts
 * once. The mean over positions; a scalar. */
Tensor *debiased_cross_entropy(Tape *tape, Tensor *hidden, Tensor *items, const DebiasedTargets *targets);

/* Which candidates stand against which anchors. Every candidate is a negative weights[candidate] times, less
 * once for each time it stands in the anchor's group, and not at all where the anchor excludes it. A
 * candidate that stands several times among an anchor's positives counts as often. */
typedef struct ContrastivePairs {
    const float *weights;   /* by candidate: how often it is there */
    const uint32_t *groups; /* by anchor */
    Segments grouped;       /* by group, in grouped_candidates */
    const uint32_t *grouped_candidates;
    Segments excluded; /* by anchor, in excluded_candidates */
    const uint32_t *excluded_candidates;
    Segments positives; /* by anchor, at least one each, in positive_candidates */
    const uint32_t *positive_candidates;
} ContrastivePairs;

/* −log(Σ positives / (Σ positives + Σ negatives)) of exp(anchor · candidate / temperature), the mean over
 * anchors; a scalar. anchors [anchors, D], candidates [candidates, D]. */
Tensor *contrastive_loss(Tape *tape, Tensor *anchors, Tensor *candidates, double temperature,
                         const ContrastivePairs *pairs);

/* The softmax cross entropy of logits [rows, classes] with the class of each row, the mean over rows; a
 * scalar. */
Tensor *softmax_cross_entropy(Tape *tape, Tensor *logits, const uint32_t *classes);

#endif

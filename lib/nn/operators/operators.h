/* The operators, each with its forward and its backward step in one file. All append to the tape and return a
 * new tensor; arrays passed to them must outlive the step. A parameter that is not trainable gets no
 * gradient. */
#ifndef NN_OPERATORS_H
#define NN_OPERATORS_H

#include "nn/parameters.h"
#include "nn/tape.h"

typedef enum Activation {
    ACTIVATION_NONE,
    ACTIVATION_RELU,
    ACTIVATION_GELU,
    ACTIVATION_QUICK_GELU
} Activation;

/* activation(x · weightᵀ + bias): x [rows, in], weight [out, in], bias [out] or NULL. GELU is the erf form;
 * quick GELU is x·σ(1.702x). */
Tensor *linear(Tape *tape, Tensor *x, Parameter *weight, Parameter *bias, Activation activation);

/* Layer norm over the columns of x, with weight and bias. */
Tensor *layer_norm(Tape *tape, Tensor *x, Parameter *weight, Parameter *bias, double epsilon);

/* layer_norm(residual + dropout(x)). */
Tensor *residual_layer_norm(Tape *tape, Tensor *residual, Tensor *x, double dropout, Parameter *weight,
                            Parameter *bias, double epsilon);

/* residual + dropout(x). */
Tensor *residual_add(Tape *tape, Tensor *residual, Tensor *x, double dropout);

/* x itself when the rate is 0 or the tape does not record. */
Tensor *dropout(Tape *tape, Tensor *x, double rate);

/* Softmax attention within each segment, in `heads` parts of the columns: the queries of segment i see the
 * keys of segment i, with `causal` only those up to their own place. q [rows, D], k and v [key rows, D];
 * scores are multiplied with 1/√(D / heads). Dropout falls on the probabilities. */
Tensor *attention(Tape *tape, Tensor *q, Tensor *k, Tensor *v, Segments queries, Segments keys, size_t heads,
                  bool causal, double dropout);

/* One addend of embedding_sum: row rows[i] of the table for row i, or always row `row` when rows is NULL. The
 * row `padding` of the table takes no gradient (−1: all do). */
typedef struct EmbeddingRows {
    Parameter *table;
    const uint32_t *rows;
    uint32_t row;
    int64_t padding;
} EmbeddingRows;

enum { EMBEDDING_SUM_MOST = 4 };

/* base (or nothing, when NULL) plus a row of each table: [count, D]. */
Tensor *embedding_sum(Tape *tape, Tensor *base, const EmbeddingRows *tables, size_t table_count,
                      size_t count);

/* Row rows[i] of x as row i: [count, D]. */
Tensor *gather_rows(Tape *tape, Tensor *x, const uint32_t *rows, size_t count);

/* `count` rows of zeros behind x. */
Tensor *append_zero_rows(Tape *tape, Tensor *x, size_t count);

/* In each segment the rows of a, then those of b. *joined receives the new segments. */
Tensor *join_segments(Tape *tape, Tensor *a, Segments a_segments, Tensor *b, Segments b_segments,
                      Segments *joined);

/* A parameter (a vector) as one more row before each segment. */
Tensor *prepend_row(Tape *tape, Parameter *row, Tensor *x, Segments segments, Segments *longer);

/* The mean of the rows of each segment, zero for an empty one: [segments, D]. */
Tensor *segment_mean(Tape *tape, Tensor *x, Segments segments);

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

#endif

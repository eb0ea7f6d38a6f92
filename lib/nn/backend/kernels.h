/* The kernels of a backend: the loops over values that operators, tape and optimizer are made of, grouped by
 * theme. What holds for all of them:
 *
 * - Pointers are the backend's memory; matrices lie row by row, without gaps where no stride is given. Index
 *   arrays (uint32_t for rows, size_t for offsets) are the backend's memory too. Sizes, flags and the structs
 *   of arguments are the host's, and are read before the call returns.
 * - Any size may be 0. No pointer need be aligned beyond its type. What is written overlaps nothing that is
 *   read, unless it is said.
 * - Kernels take effect in the order of the calls, which come from one thread; a call may return earlier.
 * - "+=" adds to what is there. A kernel adds its sums up by itself, in an order that follows from the sizes
 *   alone, so that the same call gives the same bits.
 * - `scratch` hands out the backend's memory; what a kernel takes from it, it gives back before it returns.
 *   A backend with room of its own may leave it alone.
 * - What cannot be done (memory is short, a device fails) ends the program with a message. */
#ifndef NN_BACKEND_KERNELS_H
#define NN_BACKEND_KERNELS_H

#include "core/arena.h"
#include "nn/dropout.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- Element by element: arrays of `count` values ---- */

enum { WEIGHTED_SUM_MOST = 8 };

/* Scalars in the backend's memory with weights of the host. */
typedef struct WeightedScalars {
    size_t count;
    const float *values[WEIGHTED_SUM_MOST];
    double weights[WEIGHTED_SUM_MOST];
} WeightedScalars;

typedef struct ElementKernels {
    /* to = from in bf16, to the nearest, ties to even; a NaN stays one. */
    void (*round)(size_t count, const float *from, uint16_t *to);

    /* to += from. */
    void (*add)(size_t count, const float *from, float *to);

    /* to += factor · *scale · from; `scale` is a scalar in the backend's memory, or NULL for 1. */
    void (*add_scaled)(size_t count, float factor, const float *scale, const float *from, float *to);

    /* to = a ∘ b. */
    void (*multiply)(size_t count, const float *a, const float *b, float *to);

    /* to += a ∘ b. */
    void (*add_products)(size_t count, const float *a, const float *b, float *to);

    /* y = max(x, 0). */
    void (*relu)(size_t count, const float *x, float *y);

    /* dx += dy where y > 0. */
    void (*relu_backward)(size_t count, const float *y, const float *dy, float *dx);

    /* to = base + dropout(x), element i by dropout_factor(dropout, i). `base` is NULL (nothing is added) or
     * may be `to` itself. */
    void (*add_dropped)(size_t count, const float *base, const float *x, Dropout dropout, float *to);

    /* *to = Σ weights[i] · *values[i], summed in double. */
    void (*weighted_sum)(const WeightedScalars *scalars, float *to);
} ElementKernels;

/* ---- Columns ---- */

typedef struct ColumnKernels {
    /* to [rows, count] = from [rows, count], each `count` columns of rows that lie a stride apart. */
    void (*copy)(size_t rows, size_t count, const float *from, size_t from_stride, float *to,
                 size_t to_stride);

    /* to += from, as above. */
    void (*add)(size_t rows, size_t count, const float *from, size_t from_stride, float *to,
                size_t to_stride);

    /* to[j] += Σ_i from[i, j] of from [rows, columns]. */
    void (*sums)(size_t rows, size_t columns, const float *from, float *to, Arena *scratch);
} ColumnKernels;

/* ---- Rows ---- */

/* Rows in lists by where they go: those of list i are order[offsets[i]] … order[offsets[i + 1] − 1], rising,
 * and go to row targets[i]; no target stands twice, so that lists can be worked on side by side. */
typedef struct RowLists {
    size_t count;            /* of lists, none of them empty */
    size_t rows;             /* in all of them: offsets[count] */
    const uint32_t *targets; /* [count], rising */
    const size_t *offsets;   /* [count + 1] */
    const uint32_t *order;   /* [rows] */
} RowLists;

enum { EMBEDDING_SUM_MOST = 4 };

typedef struct EmbeddedRow {
    const float *table;
    const uint32_t *rows; /* [count]; NULL: always `row` */
    uint32_t row;
} EmbeddedRow;

typedef struct EmbeddingSum {
    size_t count, columns;
    const float *base; /* [count, columns] or NULL */
    size_t table_count;
    EmbeddedRow tables[EMBEDDING_SUM_MOST];
    float *y; /* [count, columns] */
} EmbeddingSum;

typedef struct RowKernels {
    /* to [count, columns]: row i = row rows[i] of from. */
    void (*gather)(size_t count, size_t columns, const float *from, const uint32_t *rows, float *to);

    /* Row targets[i] of to += the sum of list i's rows of from. */
    void (*scatter_add)(size_t columns, const float *from, const RowLists *lists, float *to, Arena *scratch);

    /* Row rows[i] of `to` = value. */
    void (*fill)(size_t count, size_t columns, const uint32_t *rows, float value, float *to);

    /* y = base + a row of each table, added in this order. */
    void (*embedding_sum)(const EmbeddingSum *sum);

    /* y = x / norm, row by row, inverse[i] = 1 / norm: the Euclidean norm, at least 1e-12. */
    void (*normalise)(size_t rows, size_t columns, const float *x, float *y, float *inverse);

    /* dx += (dy − y (y · dy)) · inverse, row by row. */
    void (*normalise_backward)(size_t rows, size_t columns, const float *y, const float *inverse,
                               const float *dy, float *dx);

    /* Patches of images [images, channels, size, size], one a row, image by image from the top left:
     * to [images · (size / patch)², channels · patch · patch]. */
    void (*cut_patches)(size_t images, size_t channels, size_t size, size_t patch, const float *pixels,
                        float *to);
} RowKernels;

/* ---- Segments: segment i is rows offsets[i] … offsets[i + 1] − 1; some may be empty ---- */

typedef struct SegmentKernels {
    /* In each segment the rows of a, then those of b: y starts segment i at row a_offsets[i] + b_offsets[i].
     * a_offsets NULL: a is one row that stands before each segment of b; y starts segment i at b_offsets[i] +
     * i. `rows` is the number of y's. */
    void (*join)(size_t segments, size_t rows, size_t columns, const float *a, const size_t *a_offsets,
                 const float *b, const size_t *b_offsets, float *y);

    /* da and db += their rows of dy; NULL: that one is not wanted, as da is where a_offsets is NULL. */
    void (*join_backward)(size_t segments, size_t rows, size_t columns, const float *dy,
                          const size_t *a_offsets, const size_t *b_offsets, float *da, float *db);

    /* y [segments, columns] = the mean of each segment of x [rows, columns], 0 for an empty one. */
    void (*mean)(size_t segments, size_t rows, size_t columns, const float *x, const size_t *offsets,
                 float *y);

    /* dx += dy of its segment / the segment's rows. */
    void (*mean_backward)(size_t segments, size_t rows, size_t columns, const float *dy,
                          const size_t *offsets, float *dx);

    /* y [segments, columns] = the first row of each segment of x, 0 for an empty one. */
    void (*first)(size_t segments, size_t columns, const float *x, const size_t *offsets, float *y);

    /* The first row of each segment of dx += its row of dy. */
    void (*first_backward)(size_t segments, size_t columns, const float *dy, const size_t *offsets,
                           float *dx);
} SegmentKernels;

/* ---- Activations, behind a product ---- */

typedef enum Activation {
    ACTIVATION_NONE,
    ACTIVATION_RELU,
    ACTIVATION_GELU,       /* z·Φ(z), by the error function */
    ACTIVATION_QUICK_GELU, /* z·σ(1.702 z) */
    ACTIVATION_SIGMOID
} Activation;

/* Values in f32, in bf16, or in both; NULL where it is not wanted or not there. */
typedef struct Values {
    float *values;
    uint16_t *rounded;
} Values;

typedef struct ActivationKernels {
    /* z [rows, columns] += bias [columns] (NULL: nothing), in place; kept = z in bf16 (NULL: not);
     * y = activation(z). y.values may be z. */
    void (*forward)(size_t rows, size_t columns, Activation activation, const float *bias, float *z,
                    uint16_t *kept, Values y);

    /* gradient = gradient · activation′(z), in place, and in bf16 in `rounded` (NULL: not); y = activation(z)
     * once more, where it is wanted; bias_gradient [columns] += the column sums of the new gradient (NULL:
     * not). z is read in bf16 where it is there in bf16, else in f32; with ACTIVATION_NONE and no y it may
     * not be there at all. */
    void (*backward)(size_t rows, size_t columns, Activation activation, Values z, Values y, float *gradient,
                     uint16_t *rounded, float *bias_gradient, Arena *scratch);
} ActivationKernels;

/* ---- Layer norm ---- */

/* s = residual + dropout(x), or x; n = (s − mean) / √(variance + epsilon); y = n·weight + bias. Element (i,
 * j) is dropped by the index i·columns + j. */
typedef struct LayerNormForward {
    size_t rows, columns;
    const float *residual; /* NULL: none, and no dropout */
    const float *x, *weight, *bias;
    Dropout dropout;
    float epsilon;
    float *y;
    uint16_t *rounded;  /* y in bf16, or NULL */
    float *n, *inverse; /* [rows, columns], [rows]: 1 / √…; both NULL without backward */
} LayerNormForward;

typedef struct LayerNormBackward {
    size_t rows, columns;
    const float *weight, *n, *inverse, *dy;
    Dropout dropout;
    float *dresidual, *dx;                  /* NULL: not wanted */
    bool residual_adds, x_adds;             /* += instead of = */
    float *weight_gradient, *bias_gradient; /* +=; NULL: not wanted */
} LayerNormBackward;

typedef struct LayerNormKernels {
    void (*forward)(const LayerNormForward *norm);
    void (*backward)(const LayerNormBackward *norm, Arena *scratch);
} LayerNormKernels;

/* ---- Attention ---- */

enum { ATTENTION_STRIDE = 16 };

/* Within segment s and head h, with q, k, v the head's `width` columns of the segment's rows:
 *     P = softmax(scale · q · kᵀ), y = dropout(P) · v,
 * with `causal` over the keys 0 … i of query i alone. y is 0 in a segment without keys. Probability (i, j) is
 * dropped by the index places[s] + (h·queries + i)·stride + j, where stride is the segment's number of keys
 * rounded up to a multiple of ATTENTION_STRIDE, and places[s] = Σ heads·queries·stride of the segments
 * before.
 */
typedef struct Attention {
    size_t segments, heads, width;
    size_t query_rows, key_rows;    /* in all segments */
    size_t most_queries, most_keys; /* in a segment */
    size_t place_count;             /* places[segments] */
    const size_t *queries, *keys;   /* offsets [segments + 1] */
    const size_t *places;           /* [segments + 1] */
    const float *q, *k, *v;         /* [rows, heads · width] in rows that lie a stride apart */
    size_t q_stride, k_stride, v_stride;
    bool causal;
    Dropout dropout;
    float scale;
    float *kept; /* what forward leaves for backward, kept_size floats; NULL without backward */
} Attention;

/* +=, or with `replaces` =, which is for attention of segments to themselves alone; NULL: not wanted. Strides
 * are those of q, k and v. They may be columns of one matrix. */
typedef struct AttentionGradients {
    float *q, *k, *v;
    bool replaces;
} AttentionGradients;

typedef struct AttentionKernels {
    size_t (*kept_size)(const Attention *attention);

    /* y [query rows, heads · width], and in bf16 in y.rounded (NULL: not). */
    void (*forward)(const Attention *attention, Values y, Arena *scratch);

    /* y is what forward made. */
    void (*backward)(const Attention *attention, const float *y, const float *dy,
                     AttentionGradients gradients, Arena *scratch);
} AttentionKernels;

/* ---- Sequences, step by step ---- */

/* The rows of step t are offsets[t] … offsets[t + 1] − 1: one of each sequence that has begun, in the order
 * in which they began. None ends before the last step. One that begins after step 0 goes on from sequence 0:
 * before its first row stand that one's. */
typedef struct Steps {
    size_t rows, count;
    const size_t *offsets; /* [count + 1] */
} Steps;

/* A step of a gated recurrent unit without biases. With i the inputs [sequences, 3·width], h' the states of
 * the step before [before, width] and g the products of those with the recurrent weights [before, 3·width]
 * (gates in the order r, z, n):
 *     r = σ(i_r + g_r), z = σ(i_z + g_z), n = tanh(i_n + r·g_n), h = (1 − z)·n + z·h';
 * in the first step `before` is 0, and so are g and h'. */
typedef struct RecurrentStep {
    size_t sequences, before, width;
    const float *inputs, *products, *h_before;
    float *h;    /* [sequences, width] */
    float *kept; /* [sequences, 4·width]: r, z, n, g_n; NULL without backward */
} RecurrentStep;

/* `carried` [sequences, width] is the gradient of h that later steps left, and becomes what of h' gradient
 * does not go through the products. Those of a sequence that begins are sequence 0's, to be added up. */
typedef struct RecurrentStepBackward {
    size_t sequences, before, width;
    const float *h_before, *kept, *dy;
    float *input_gradient;     /* [sequences, 3·width], += */
    float *product_gradient;   /* [before, 3·width], = */
    float *beginning_gradient; /* [sequences − before, 3·width], =: likewise, of the sequences that begin */
    float *carried;
} RecurrentStepBackward;

typedef struct SequenceKernels {
    void (*recurrent_step)(const RecurrentStep *step);
    void (*recurrent_step_backward)(const RecurrentStepBackward *step);

    /* y [rows, columns·kernel]: y[row, j·kernel + k] = x[(kernel − 1 − k)·dilation steps before row, j], 0
     * before the first step. */
    void (*windows)(Steps steps, size_t columns, size_t kernel, size_t dilation, const float *x, float *y);

    /* dx += the elements of dy that were made of it. */
    void (*windows_backward)(Steps steps, size_t columns, size_t kernel, size_t dilation, const float *dy,
                             float *dx);
} SequenceKernels;

/* ---- Losses of rows: scores [rows, count] become their gradient times `share`, in place; losses[i] is the
 * loss of row i. Score row i belongs to row first + i of the index arrays. ---- */

/* See operators.h. own_items lists distinct items for each user. */
typedef struct DebiasedLoss {
    const uint32_t *targets, *users; /* by position */
    const size_t *own_offsets;       /* by user */
    const uint32_t *own_items;
    const float *log_popularity, *log_occurrences; /* by candidate */
} DebiasedLoss;

/* See operators.h. most_positives: of an anchor. */
typedef struct ContrastiveLoss {
    float scale; /* 1 / temperature */
    const float *weights;
    const uint32_t *groups;
    const size_t *group_offsets;
    const uint32_t *group_candidates;
    const size_t *excluded_offsets;
    const uint32_t *excluded_candidates;
    const size_t *positive_offsets;
    const uint32_t *positive_candidates;
    size_t most_positives;
} ContrastiveLoss;

typedef struct LossKernels {
    /* s_c = score_c − log_popularity_c + log_occurrences_c, for the target without the latter, −∞ for the
     * items in the user's own row but the target; loss = log Σ exp(s) − s_target. */
    void (*debiased)(size_t rows, size_t first, size_t count, float share, const DebiasedLoss *loss,
                     float *scores, double *losses);

    /* With w the weights, less 1 for each time in the anchor's group, then 0 where excluded, then plus 1 for
     * each time among the positives: loss = log Σ_{w > 0} w·exp(scale·s) − log Σ_positives exp(scale·s). */
    void (*contrastive)(size_t rows, size_t first, size_t count, float share, const ContrastiveLoss *loss,
                        float *scores, double *losses, Arena *scratch);

    /* loss = log Σ exp(s) − s_class. */
    void (*softmax)(size_t rows, size_t count, float share, const uint32_t *classes, float *scores,
                    double *losses);

    /* *to = the mean of the losses, 0 without any. */
    void (*mean)(size_t count, const double *losses, float *to);
} LossKernels;

/* ---- Scores ---- */

/* The scores of rows for the candidates first … first + count − 1, which are counted from 1. Row i's target
 * is candidate targets[i]; 0, for none, is in no tile. The candidates that are masked for it, rising, are
 * masked[masked_offsets[i]] … masked[masked_offsets[i + 1] − 1]. */
typedef struct ScoreTile {
    size_t rows, count;
    uint32_t first;
    const float *scores; /* [rows, count] */
    const uint32_t *targets;
    const size_t *masked_offsets;
    const uint32_t *masked;
} ScoreTile;

/* How a row's target stands among the candidates so far. */
typedef struct Standing {
    uint32_t higher, equal; /* candidates, by their scores; a masked one's is −∞ */
    uint32_t bad;           /* the first candidate whose score is not a number; 0: none */
} Standing;

/* A row's best candidates so far, the first of them first; 0 where there are fewer than k. */
typedef struct BestCandidates {
    size_t k;       /* from 1 to best_most */
    uint64_t *keys; /* [rows, k]: ranked_key */
    uint32_t *bad;  /* [rows]: the first candidate whose score is not finite, masked or not; 0: none */
} BestCandidates;

typedef struct ScoreKernels {
    /* to[i] = row i's score of its target, where the tile has it. */
    void (*find_targets)(const ScoreTile *tile, float *to);

    /* Adds the tile's candidates to the standings of the rows' targets, which score target_scores. Tiles come
     * in the order of their candidates. */
    void (*add_standings)(const ScoreTile *tile, const float *target_scores, Standing *standings);

    /* Lets the tile's candidates, but those that are masked, take their places among the rows' best. Tiles
     * come in the order of their candidates; targets are not read. NULL: the host's memory is the backend's,
     * and it selects there by itself. */
    void (*add_best)(const ScoreTile *tile, const BestCandidates *best);
    size_t best_most; /* 0 without it */
} ScoreKernels;

/* ---- The optimizer ---- */

/* One step of AdamW with g = *factor · gradient:
 *     first = beta1·first + rest1·g, second = beta2·second + rest2·g²,
 *     value = keep·value − step_size·first / (√second·root + epsilon);
 * none where *factor is NaN. */
typedef struct AdamW {
    size_t count;
    const uint32_t *rows; /* NULL: of all values; else of these rows of so many columns, count in all */
    size_t columns;
    float *value, *first, *second;
    const float *gradient;
    const float *factor;                       /* a scalar in the backend's memory */
    float beta1, rest1, beta2, rest2, epsilon; /* rest: 1 − beta */
    float keep;                                /* 1 − rate · decay */
    float step_size;                           /* rate / (1 − beta1^step) */
    float root;                                /* 1 / √(1 − beta2^step) */
} AdamW;

/* What steps without a gradient do to a row. */
typedef struct OwedMoves {
    float keep, step_size, first, second;
} OwedMoves;

typedef struct FloatArray {
    size_t count;
    const float *values;
} FloatArray;

typedef struct OptimizerKernels {
    /* Takes these steps, each of other values. */
    void (*adamw)(size_t count, const AdamW *steps);

    /* For row i (of step's rows, or of all where those are NULL), with owed[i] in the backend's memory,
     * columns at a time: value = keep·value − step_size·first / (√second·root + epsilon), then first and
     * second times theirs. Of `step` the gradient and the factors that owed[i] has are not read. */
    void (*catch_up)(const AdamW *step, const OwedMoves *owed);

    /* *total = Σ values² of all arrays, in double. */
    void (*sum_of_squares)(size_t count, const FloatArray *arrays, double *total, Arena *scratch);

    /* *factor = scale, or clip / √*total where scale · √*total is above clip > 0; NaN where *total is not
     * finite. */
    void (*clip)(const double *total, double scale, double clip, float *factor);
} OptimizerKernels;

/* ---- Between the memories of the ranks of a run; called by all of them, in the same order ---- */

/* How ranks talk before they have an exchange. */
typedef struct ExchangePeers {
    int rank, count;
    const struct Ranks *ranks;
    bool (*any)(const struct Ranks *ranks, bool mine);                        /* ranks_any */
    void (*broadcast)(const struct Ranks *ranks, size_t bytes, void *memory); /* ranks_broadcast */
} ExchangePeers;

typedef struct ExchangeKernels {
    /* All ranks open it, with a message that says by what it goes, or none: the message is then of those that
     * it failed on, and empty on others. */
    bool (*open)(const ExchangePeers *peers, char *message, size_t size);
    bool (*is_open)(void);
    void (*close)(void);

    /* Offsets are the host's: offsets[r] … offsets[r + 1] is the share of rank r. Each rank has filled its
     * share of the values; now each has all. */
    void (*gather)(const size_t *offsets, float *values);

    /* own[i] = the sum over the ranks, in their order, of all[offsets[rank] + i]; `own` may be the rank's
     * share of `all`. */
    void (*scatter_sum)(const size_t *offsets, const float *all, float *own);
} ExchangeKernels;

#endif

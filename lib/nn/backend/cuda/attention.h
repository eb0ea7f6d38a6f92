/* What the kernels of attention in f32 and those in bf16 have in common. */
#ifndef CUDA_ATTENTION_H
#define CUDA_ATTENTION_H

#include "device.h"
#include "nn/backend/kernels.h"
#include "values.h"

/* The columns of a head in the rows of a segment. */
typedef struct Rows {
    const float *values;
    size_t stride, count;
} Rows;

typedef struct Unit {
    size_t head, first_query, queries, first_key, keys;
    uint64_t place; /* of the first probability, for dropout */
    size_t row_places;
    Rows q, k, v;
} Unit;

static __device__ Unit find_unit(const Attention &attention, size_t number) {
    const size_t segment = number / attention.heads, head = number % attention.heads;
    const size_t column = head * attention.width;
    Unit unit;
    unit.head = head;
    unit.first_query = attention.queries[segment];
    unit.queries = attention.queries[segment + 1] - unit.first_query;
    unit.first_key = attention.keys[segment];
    unit.keys = attention.keys[segment + 1] - unit.first_key;
    unit.row_places = (unit.keys + ATTENTION_STRIDE - 1) / ATTENTION_STRIDE * ATTENTION_STRIDE;
    unit.place = attention.places[segment] + head * unit.queries * unit.row_places;
    unit.q = {attention.q + unit.first_query * attention.q_stride + column, attention.q_stride, unit.queries};
    unit.k = {attention.k + unit.first_key * attention.k_stride + column, attention.k_stride, unit.keys};
    unit.v = {attention.v + unit.first_key * attention.v_stride + column, attention.v_stride, unit.keys};
    return unit;
}

/* The columns of a head in y or dy, whose rows have no gaps. */
static __device__ inline Rows result_rows(const Attention &attention, const Unit &unit, const float *values) {
    const size_t stride = attention.heads * attention.width;
    return {values + unit.first_query * stride + unit.head * attention.width, stride, unit.queries};
}

static __device__ inline bool is_visible(const Attention &attention, const Unit &unit, size_t query,
                                         size_t key) {
    return query < unit.queries && key < unit.keys && (!attention.causal || key <= query);
}

static __device__ inline float kept_share(const Attention &attention, const Unit &unit, size_t query,
                                          size_t key) {
    return dropout_factor(attention.dropout, unit.place + query * unit.row_places + key);
}

/* Where the keys end that queries before `query` see. */
static __device__ inline size_t end_of_keys(const Attention &attention, const Unit &unit, size_t query) {
    return attention.causal ? smaller(query, unit.keys) : unit.keys;
}

/* What backward knows of each query and head: the log of its softmax's sum, and dy · y, which is the sum of
 * its probabilities times their gradients. */
typedef struct QueryRows {
    const float *log_sums, *products; /* [query rows, heads] */
} QueryRows;

/* Turns the products of a query and a key, and of dy and a value, into the gradient of their score; returns
 * the probability behind dropout. */
static __device__ inline float differentiate(const Attention &attention, const Unit &unit,
                                             const QueryRows &rows, size_t query, size_t key, float score,
                                             float &gradient) {
    if (!is_visible(attention, unit, query, key)) {
        gradient = 0;
        return 0;
    }
    const size_t at = (unit.first_query + query) * attention.heads + unit.head;
    const float probability = expf(attention.scale * score - rows.log_sums[at]);
    const float share = kept_share(attention, unit, query, key);
    gradient = attention.scale * probability * (gradient * share - rows.products[at]);
    return probability * share;
}

/* The logs of the sums of all softmaxes. */
static inline size_t attention_kept_size(const Attention *attention) {
    return attention->query_rows * attention->heads;
}

/* For backward; dy · y is of dy in bf16 where the kernels have it so. Takes device_room. */
static inline QueryRows find_query_rows(const Attention *attention, const float *y, const float *dy,
                                        bool rounds) {
    const size_t count = attention_kept_size(attention), width = attention->width;
    float *products = static_cast<float *>(device_room(count * sizeof *products));
    each_row(count, [=] __device__(size_t i, unsigned lane) {
        float product = 0;
        for (size_t j = lane; j < width; j += WARP) {
            const float gradient = dy[i * width + j];
            product += (rounds ? widen_bf16(round_to_bf16(gradient)) : gradient) * y[i * width + j];
        }
        product = warp_sum(product);
        if (lane == 0) products[i] = product;
    });
    return {attention->kept, products};
}

static inline bool is_empty(dim3 blocks) {
    return !blocks.x || !blocks.y || !blocks.z;
}

#endif

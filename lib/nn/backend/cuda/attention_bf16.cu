#include "attention.h"
#include "table.h"
#include "tensor_cores.h"

/* Attention as in attention.cu, with the products on tensor cores: queries, keys, values and dy are rounded
 * to bf16 when they are loaded, probabilities and their gradients before they are multiplied with those;
 * scores, softmaxes and sums are f32. A warp works on ROWS rows of one head, whose operands and sums it has
 * in registers, in the places that tensor_cores.h tells; the other side comes STEP rows at a time through
 * shared memory, for the WARPS_OF_TILE warps of a block. */

enum { ROWS = 16, WARPS_OF_TILE = 4, TILE = ROWS * WARPS_OF_TILE, THREADS = WARP * WARPS_OF_TILE, STEP = 32 };

/* A warp's rows as a left operand, 16 columns after the other; and its sums with STEP or WIDTH columns, 8
 * after the other. */
template <int WIDTH> using Left = uint32_t[WIDTH / 16][4];
typedef float Scores[STEP / 8][4];
template <int WIDTH> using Sums = float[WIDTH / 8][4];

/* STEP rows of the other side, in words of two columns or of two rows, as right operands want them. The words
 * that a warp reads at once lie in different banks. */
template <int WIDTH> using Across = uint32_t[STEP][WIDTH / 2 + 4];
template <int WIDTH> using Down = uint32_t[STEP / 2][WIDTH + 8];

static __device__ inline unsigned own_row() {
    return threadIdx.x % WARP / 4;
}

static __device__ inline unsigned own_pair() {
    return threadIdx.x % 4 * 2;
}

/* Where element i of tile n of a warp's sums stands. */
static __device__ inline unsigned row_of(unsigned i) {
    return own_row() + i / 2 * 8;
}

static __device__ inline unsigned column_of(unsigned n, unsigned i) {
    return n * 8 + own_pair() + i % 2;
}

static __device__ inline size_t first_row_of_warp() {
    return static_cast<size_t>(blockIdx.y) * TILE + threadIdx.x / WARP * ROWS;
}

/* Zero outside. */
static __device__ inline float value_at(Rows rows, size_t row, size_t column) {
    return row < rows.count ? rows.values[row * rows.stride + column] : 0;
}

template <int WIDTH> static __device__ inline void load_left(Rows rows, size_t first, Left<WIDTH> &left) {
    for (unsigned s = 0; s < WIDTH / 16; s++)
        for (unsigned i = 0; i < 4; i++) {
            const size_t row = first + own_row() + i % 2 * 8, column = s * 16 + own_pair() + i / 2 * 8;
            left[s][i] = pack_bf16(value_at(rows, row, column), value_at(rows, row, column + 1));
        }
}

/* Rows first … first + STEP − 1, by all threads of the block; NULL: not wanted so. */
template <int WIDTH>
static __device__ inline void load(Rows rows, size_t first, Across<WIDTH> *across, Down<WIDTH> *down) {
    for (unsigned i = threadIdx.x; i < STEP / 2 * (WIDTH / 2); i += THREADS) {
        const unsigned row = i / (WIDTH / 2) * 2, column = i % (WIDTH / 2) * 2;
        float x[2][2];
        for (unsigned r = 0; r < 2; r++)
            for (unsigned c = 0; c < 2; c++)
                x[r][c] = value_at(rows, first + row + r, column + c);
        for (unsigned j = 0; j < 2; j++) {
            if (across) (*across)[row + j][column / 2] = pack_bf16(x[j][0], x[j][1]);
            if (down) (*down)[row / 2][column + j] = pack_bf16(x[0][j], x[1][j]);
        }
    }
}

/* scores = left · rowsᵀ. */
template <int WIDTH>
static __device__ inline void multiply(const Left<WIDTH> &left, const Across<WIDTH> &rows, Scores &scores) {
    for (unsigned n = 0; n < STEP / 8; n++) {
        const uint32_t *row = rows[n * 8 + own_row()];
        for (unsigned i = 0; i < 4; i++)
            scores[n][i] = 0;
        for (unsigned s = 0; s < WIDTH / 16; s++) {
            const unsigned place = s * 8 + own_pair() / 2;
            multiply_add(left[s], {row[place], row[place + 4]}, scores[n]);
        }
    }
}

/* sums += weights · rows. */
template <int WIDTH>
static __device__ inline void add_weighted(const Scores &weights, const Down<WIDTH> &rows,
                                           Sums<WIDTH> &sums) {
    for (unsigned s = 0; s < STEP / 16; s++) {
        const float *first = weights[2 * s], *second = weights[2 * s + 1];
        const uint32_t left[4] = {pack_bf16(first[0], first[1]), pack_bf16(first[2], first[3]),
                                  pack_bf16(second[0], second[1]), pack_bf16(second[2], second[3])};
        const unsigned place = s * 8 + own_pair() / 2;
        for (unsigned n = 0; n < WIDTH / 8; n++) {
            const unsigned column = n * 8 + own_row();
            multiply_add(left, {rows[place][column], rows[place + 4][column]}, sums[n]);
        }
    }
}

/* Over the 4 lanes that share rows. */
static __device__ inline float largest_across(float value) {
    value = fmaxf(value, __shfl_xor_sync(0xffffffffu, value, 1));
    return fmaxf(value, __shfl_xor_sync(0xffffffffu, value, 2));
}

static __device__ inline float sum_across(float value) {
    value += __shfl_xor_sync(0xffffffffu, value, 1);
    return value + __shfl_xor_sync(0xffffffffu, value, 2);
}

/* to[row, column] += sums, or = with `replaces`. */
template <int WIDTH>
static __device__ inline void put_sums(const Sums<WIDTH> &sums, size_t first, size_t count, size_t stride,
                                       bool replaces, float *to) {
    for (unsigned n = 0; n < WIDTH / 8; n++)
        for (unsigned i = 0; i < 4; i++) {
            if (first + row_of(i) >= count) continue;
            float *place = to + (first + row_of(i)) * stride + column_of(n, i);
            *place = sums[n][i] + (replaces ? 0 : *place);
        }
}

/* The softmax of the rows own_row() and own_row() + 8 so far: the largest score and the sum of exponentials
 * relative to it. */
typedef struct Softmax {
    float largest[2], sum[2];
} Softmax;

/* Turns scores of a row's keys into exponentials behind dropout; returns what brings the sums before to the
 * new largest score. */
static __device__ inline float add_row_to_softmax(const Attention &attention, const Unit &unit, size_t query,
                                                  size_t key, unsigned half, Scores &scores,
                                                  Softmax &softmax) {
    float largest = softmax.largest[half], sum = 0;
    for (unsigned n = 0; n < STEP / 8; n++)
        for (unsigned i = 2 * half; i < 2 * half + 2; i++) {
            const bool visible = is_visible(attention, unit, query, key + column_of(n, i));
            scores[n][i] = visible ? attention.scale * scores[n][i] : -INFINITY;
            largest = fmaxf(largest, scores[n][i]);
        }
    largest = largest_across(largest);
    for (unsigned n = 0; n < STEP / 8; n++)
        for (unsigned i = 2 * half; i < 2 * half + 2; i++) {
            const float power = largest == -INFINITY ? 0 : expf(scores[n][i] - largest);
            sum += power;
            scores[n][i] = power * kept_share(attention, unit, query, key + column_of(n, i));
        }
    const float factor = largest == -INFINITY ? 1 : expf(softmax.largest[half] - largest);
    softmax.sum[half] = softmax.sum[half] * factor + sum_across(sum);
    softmax.largest[half] = largest;
    return factor;
}

template <int WIDTH>
static __device__ inline void add_to_softmax(const Attention &attention, const Unit &unit, size_t first,
                                             size_t key, Scores &scores, Softmax &softmax,
                                             Sums<WIDTH> &sums) {
    const size_t query = first + own_row();
    const float factors[2] = {add_row_to_softmax(attention, unit, query, key, 0, scores, softmax),
                              add_row_to_softmax(attention, unit, query + 8, key, 1, scores, softmax)};
    for (unsigned n = 0; n < WIDTH / 8; n++)
        for (unsigned i = 0; i < 4; i++)
            sums[n][i] *= factors[i / 2];
}

template <int WIDTH>
static __device__ inline void put_result(const Attention &attention, const Unit &unit, size_t first,
                                         const Softmax &softmax, const Sums<WIDTH> &sums, Values y) {
    for (unsigned i = 0; i < 4; i++) {
        const size_t row = first + row_of(i), number = (unit.first_query + row) * attention.heads + unit.head;
        if (row >= unit.queries) continue;
        if (attention.kept && own_pair() == 0)
            attention.kept[number] = softmax.largest[i / 2] + logf(softmax.sum[i / 2]);
        for (unsigned n = 0; n < WIDTH / 8; n++) {
            const size_t at = number * WIDTH + column_of(n, i);
            const float value = unit.keys ? sums[n][i] / softmax.sum[i / 2] : 0;
            y.values[at] = value;
            if (y.rounded) y.rounded[at] = round_to_bf16(value);
        }
    }
}

template <int WIDTH>
__global__ void __launch_bounds__(THREADS) forward_kernel(Attention attention, Values y) {
    __shared__ Across<WIDTH> keys;
    __shared__ Down<WIDTH> values;
    const Unit unit = find_unit(attention, blockIdx.x);
    const size_t first = first_row_of_warp(), block = static_cast<size_t>(blockIdx.y) * TILE;
    if (block >= unit.queries) return;
    const size_t end = end_of_keys(attention, unit, block + TILE);
    const size_t own_end = end_of_keys(attention, unit, first + ROWS);
    Left<WIDTH> q;
    Scores scores;
    Sums<WIDTH> sums = {};
    Softmax softmax = {{-INFINITY, -INFINITY}, {0, 0}};
    load_left<WIDTH>(unit.q, first, q);
    for (size_t key = 0; key < end; key += STEP) {
        __syncthreads();
        load<WIDTH>(unit.k, key, &keys, nullptr);
        load<WIDTH>(unit.v, key, nullptr, &values);
        __syncthreads();
        if (first >= unit.queries || key >= own_end) continue;
        multiply<WIDTH>(q, keys, scores);
        add_to_softmax<WIDTH>(attention, unit, first, key, scores, softmax, sums);
        add_weighted<WIDTH>(scores, values, sums);
    }
    put_result<WIDTH>(attention, unit, first, softmax, sums, y);
}

/* dS = scale·P∘(dP − Σ dP∘P), dQ += dS·K. */
template <int WIDTH>
__global__ void __launch_bounds__(THREADS)
    query_gradient_kernel(Attention attention, QueryRows rows, const float *dy_, AttentionGradients to) {
    __shared__ Across<WIDTH> keys, values;
    __shared__ Down<WIDTH> keys_down;
    const Unit unit = find_unit(attention, blockIdx.x);
    const size_t first = first_row_of_warp(), block = static_cast<size_t>(blockIdx.y) * TILE;
    if (block >= unit.queries) return;
    const size_t end = end_of_keys(attention, unit, block + TILE);
    const size_t own_end = end_of_keys(attention, unit, first + ROWS);
    Left<WIDTH> q, dy;
    Scores scores, gradients;
    Sums<WIDTH> sums = {};
    load_left<WIDTH>(unit.q, first, q);
    load_left<WIDTH>(result_rows(attention, unit, dy_), first, dy);
    for (size_t key = 0; key < end; key += STEP) {
        __syncthreads();
        load<WIDTH>(unit.k, key, &keys, &keys_down);
        load<WIDTH>(unit.v, key, &values, nullptr);
        __syncthreads();
        if (first >= unit.queries || key >= own_end) continue;
        multiply<WIDTH>(q, keys, scores);
        multiply<WIDTH>(dy, values, gradients);
        for (unsigned n = 0; n < STEP / 8; n++)
            for (unsigned i = 0; i < 4; i++)
                differentiate(attention, unit, rows, first + row_of(i), key + column_of(n, i), scores[n][i],
                              gradients[n][i]);
        add_weighted<WIDTH>(gradients, keys_down, sums);
    }
    put_sums<WIDTH>(sums, first, unit.queries, attention.q_stride, to.replaces,
                    to.q + unit.first_query * attention.q_stride + unit.head * WIDTH);
}

/* dK += dSᵀ·Q, dV += dropout(P)ᵀ·dY; with rows of keys and columns of queries. */
template <int WIDTH>
__global__ void __launch_bounds__(THREADS)
    key_gradient_kernel(Attention attention, QueryRows rows, const float *dy_, AttentionGradients to) {
    __shared__ Across<WIDTH> queries, dy;
    __shared__ Down<WIDTH> queries_down, dy_down;
    const Unit unit = find_unit(attention, blockIdx.x);
    const size_t first = first_row_of_warp(), block = static_cast<size_t>(blockIdx.y) * TILE;
    if (block >= unit.keys) return;
    Left<WIDTH> k, v;
    Scores scores, gradients;
    Sums<WIDTH> k_sums = {}, v_sums = {};
    load_left<WIDTH>(unit.k, first, k);
    load_left<WIDTH>(unit.v, first, v);
    for (size_t query = attention.causal ? block : 0; query < unit.queries; query += STEP) {
        __syncthreads();
        load<WIDTH>(unit.q, query, &queries, &queries_down);
        load<WIDTH>(result_rows(attention, unit, dy_), query, &dy, &dy_down);
        __syncthreads();
        if (first >= unit.keys || (attention.causal && query + STEP <= first)) continue;
        multiply<WIDTH>(k, queries, scores);
        multiply<WIDTH>(v, dy, gradients);
        for (unsigned n = 0; n < STEP / 8; n++)
            for (unsigned i = 0; i < 4; i++)
                scores[n][i] = differentiate(attention, unit, rows, query + column_of(n, i),
                                             first + row_of(i), scores[n][i], gradients[n][i]);
        add_weighted<WIDTH>(scores, dy_down, v_sums);
        add_weighted<WIDTH>(gradients, queries_down, k_sums);
    }
    if (to.v)
        put_sums<WIDTH>(v_sums, first, unit.keys, attention.v_stride, to.replaces,
                        to.v + unit.first_key * attention.v_stride + unit.head * WIDTH);
    if (to.k)
        put_sums<WIDTH>(k_sums, first, unit.keys, attention.k_stride, to.replaces,
                        to.k + unit.first_key * attention.k_stride + unit.head * WIDTH);
}

/* A block for each unit and tile of its longest rows. */
static dim3 blocks_of(const Attention *attention, size_t most_rows) {
    return grid_of(attention->segments * attention->heads, divide_up(most_rows, TILE));
}

template <int WIDTH> static void forward_heads(const Attention *attention, Values y) {
    const dim3 blocks = blocks_of(attention, attention->most_queries);
    if (!is_empty(blocks)) launch(blocks, THREADS, 0, forward_kernel<WIDTH>, *attention, y);
}

template <int WIDTH>
static void backward_heads(const Attention *attention, const float *y, const float *dy,
                           AttentionGradients to) {
    const dim3 query_blocks = blocks_of(attention, attention->most_queries);
    const dim3 key_blocks = blocks_of(attention, attention->most_keys);
    if (is_empty(query_blocks) || is_empty(key_blocks)) return;
    const QueryRows rows = find_query_rows(attention, y, dy, true);
    if (to.q) launch(query_blocks, THREADS, 0, query_gradient_kernel<WIDTH>, *attention, rows, dy, to);
    if (to.k || to.v) launch(key_blocks, THREADS, 0, key_gradient_kernel<WIDTH>, *attention, rows, dy, to);
}

/* Heads of other widths stay in f32. */
static void forward(const Attention *attention, Values y, Arena *scratch) {
    switch (attention->width) {
    case 32:
        return forward_heads<32>(attention, y);
    case 64:
        return forward_heads<64>(attention, y);
    default:
        return cuda_attention.forward(attention, y, scratch);
    }
}

static void backward(const Attention *attention, const float *y, const float *dy, AttentionGradients to,
                     Arena *scratch) {
    switch (attention->width) {
    case 32:
        return backward_heads<32>(attention, y, dy, to);
    case 64:
        return backward_heads<64>(attention, y, dy, to);
    default:
        return cuda_attention.backward(attention, y, dy, to, scratch);
    }
}

const AttentionKernels cuda_attention_bf16 = {attention_kept_size, forward, backward};

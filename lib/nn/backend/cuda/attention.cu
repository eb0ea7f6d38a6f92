#include "attention.h"
#include "table.h"

/* As FlashAttention (Dao 2023): scores exist only for a tile of queries by keys, in registers and shared
 * memory. A block works on a tile of rows of one head of one segment, and on a chunk of the columns of the
 * result; wider heads compute their scores once for each chunk. Forward leaves the log of each softmax's sum,
 * from which backward makes the probabilities again: once by tiles of queries, for their gradients, and once
 * by tiles of keys, for those of keys and values; so that no two blocks add to the same place. */

enum { TILE = 32, CHUNK = 64, THREADS = 128 };

/* Of a tile, a thread has 4 rows and every 16th column: 2 of scores, 4 of a chunk. */
enum { ROWS = 4, ACROSS = 16, SCORES = TILE / ACROSS, COLUMNS = CHUNK / ACROSS };

typedef struct Shared {
    float left[TILE][CHUNK + 1], right[TILE][CHUNK + 1], weights[TILE][TILE + 1];
} Shared;

static __device__ inline unsigned own_row() {
    return threadIdx.x / ACROSS * ROWS;
}

static __device__ inline unsigned own_column() {
    return threadIdx.x % ACROSS;
}

/* Rows first … and columns column … of a head, zero outside. */
static __device__ void load(float (*tile)[CHUNK + 1], Rows rows, size_t first, size_t column, size_t width) {
    for (unsigned i = threadIdx.x; i < TILE * CHUNK; i += THREADS) {
        const size_t row = first + i / CHUNK, from = column + i % CHUNK;
        tile[i / CHUNK][i % CHUNK] =
            row < rows.count && from < width ? rows.values[row * rows.stride + from] : 0;
    }
}

/* scores = the products of TILE rows of a with TILE rows of b. */
static __device__ void multiply(Rows a, size_t a_first, Rows b, size_t b_first, size_t width, Shared &shared,
                                float (&scores)[ROWS][SCORES]) {
    for (int x = 0; x < ROWS; x++)
        for (int y = 0; y < SCORES; y++)
            scores[x][y] = 0;
    for (size_t column = 0; column < width; column += CHUNK) {
        const unsigned count = static_cast<unsigned>(smaller(width - column, CHUNK));
        __syncthreads();
        load(shared.left, a, a_first, column, width);
        load(shared.right, b, b_first, column, width);
        __syncthreads();
        for (unsigned w = 0; w < count; w++)
            for (unsigned x = 0; x < ROWS; x++)
                for (unsigned y = 0; y < SCORES; y++)
                    scores[x][y] +=
                        shared.left[own_row() + x][w] * shared.right[own_column() + y * ACROSS][w];
    }
}

/* sums += weights · TILE rows of b, of a chunk of their columns. */
static __device__ void add_weighted(const float (&weights)[ROWS][SCORES], Rows b, size_t b_first,
                                    size_t column, size_t width, Shared &shared,
                                    float (&sums)[ROWS][COLUMNS]) {
    __syncthreads();
    for (unsigned x = 0; x < ROWS; x++)
        for (unsigned y = 0; y < SCORES; y++)
            shared.weights[own_row() + x][own_column() + y * ACROSS] = weights[x][y];
    load(shared.right, b, b_first, column, width);
    __syncthreads();
    for (unsigned j = 0; j < TILE; j++)
        for (unsigned x = 0; x < ROWS; x++)
            for (unsigned y = 0; y < COLUMNS; y++)
                sums[x][y] += shared.weights[own_row() + x][j] * shared.right[j][own_column() + y * ACROSS];
}

/* Over the 16 threads that share rows. */
static __device__ inline float largest_across(float value) {
    for (int lane = ACROSS / 2; lane; lane /= 2)
        value = fmaxf(value, __shfl_xor_sync(0xffffffffu, value, lane));
    return value;
}

static __device__ inline float sum_across(float value) {
    for (int lane = ACROSS / 2; lane; lane /= 2)
        value += __shfl_xor_sync(0xffffffffu, value, lane);
    return value;
}

/* to[row, column of the chunk] += sums, or = with `replaces`. */
static __device__ inline void put_sums(const float (&sums)[ROWS][COLUMNS], size_t first, size_t column,
                                       size_t width, size_t count, size_t stride, bool replaces, float *to) {
    for (unsigned x = 0; x < ROWS; x++)
        for (unsigned y = 0; y < COLUMNS; y++) {
            const size_t row = first + own_row() + x, at = column + own_column() + y * ACROSS;
            if (row >= count || at >= width) continue;
            float *place = to + row * stride + at;
            *place = sums[x][y] + (replaces ? 0 : *place);
        }
}

/* The softmax of a tile's rows so far: the largest score and the sum of exponentials relative to it. */
typedef struct Softmax {
    float largest[ROWS], sum[ROWS];
} Softmax;

/* Turns scores into exponentials, and brings what was summed up before to the new largest score. */
static __device__ void add_to_softmax(const Attention &attention, const Unit &unit, size_t query, size_t key,
                                      float (&scores)[ROWS][SCORES], Softmax &softmax,
                                      float (&sums)[ROWS][COLUMNS]) {
    for (unsigned x = 0; x < ROWS; x++) {
        const size_t row = query + own_row() + x;
        float largest = softmax.largest[x], sum = 0;
        for (unsigned y = 0; y < SCORES; y++) {
            const bool visible = is_visible(attention, unit, row, key + own_column() + y * ACROSS);
            scores[x][y] = visible ? attention.scale * scores[x][y] : -INFINITY;
            largest = fmaxf(largest, scores[x][y]);
        }
        largest = largest_across(largest);
        for (unsigned y = 0; y < SCORES; y++) {
            const size_t column = key + own_column() + y * ACROSS;
            const float power = largest == -INFINITY ? 0 : expf(scores[x][y] - largest);
            sum += power;
            scores[x][y] = power * kept_share(attention, unit, row, column);
        }
        const float factor = largest == -INFINITY ? 1 : expf(softmax.largest[x] - largest);
        softmax.sum[x] = softmax.sum[x] * factor + sum_across(sum);
        softmax.largest[x] = largest;
        for (unsigned y = 0; y < COLUMNS; y++)
            sums[x][y] *= factor;
    }
}

static __device__ void put_result(const Attention &attention, const Unit &unit, size_t query, size_t column,
                                  const Softmax &softmax, const float (&sums)[ROWS][COLUMNS], Values y) {
    const size_t stride = attention.heads * attention.width;
    for (unsigned x = 0; x < ROWS; x++) {
        const size_t row = query + own_row() + x;
        if (row >= unit.queries) return;
        if (attention.kept && column == 0 && own_column() == 0)
            attention.kept[(unit.first_query + row) * attention.heads + unit.head] =
                softmax.largest[x] + logf(softmax.sum[x]);
        for (unsigned z = 0; z < COLUMNS; z++) {
            const size_t from = column + own_column() + z * ACROSS;
            if (from >= attention.width) continue;
            const size_t at = (unit.first_query + row) * stride + unit.head * attention.width + from;
            const float value = unit.keys ? sums[x][z] / softmax.sum[x] : 0;
            y.values[at] = value;
            if (y.rounded) y.rounded[at] = round_to_bf16(value);
        }
    }
}

__global__ void __launch_bounds__(THREADS) forward_kernel(Attention attention, Values y) {
    __shared__ Shared shared;
    const Unit unit = find_unit(attention, blockIdx.x);
    const size_t query = static_cast<size_t>(blockIdx.y) * TILE,
                 column = static_cast<size_t>(blockIdx.z) * CHUNK;
    const size_t width = attention.width, end = end_of_keys(attention, unit, query + TILE);
    if (query >= unit.queries) return;
    Softmax softmax;
    float scores[ROWS][SCORES], sums[ROWS][COLUMNS] = {};
    for (unsigned x = 0; x < ROWS; x++)
        softmax.largest[x] = -INFINITY, softmax.sum[x] = 0;
    for (size_t key = 0; key < end; key += TILE) {
        multiply(unit.q, query, unit.k, key, width, shared, scores);
        add_to_softmax(attention, unit, query, key, scores, softmax, sums);
        add_weighted(scores, unit.v, key, column, width, shared, sums);
    }
    put_result(attention, unit, query, column, softmax, sums, y);
}

/* dS = scale·P∘(dP − Σ dP∘P), dQ += dS·K. */
__global__ void __launch_bounds__(THREADS)
    query_gradient_kernel(Attention attention, QueryRows rows, const float *dy, AttentionGradients to) {
    __shared__ Shared shared;
    const Unit unit = find_unit(attention, blockIdx.x);
    const size_t query = static_cast<size_t>(blockIdx.y) * TILE,
                 column = static_cast<size_t>(blockIdx.z) * CHUNK;
    const size_t width = attention.width, end = end_of_keys(attention, unit, query + TILE);
    if (query >= unit.queries) return;
    const Rows dy_rows = result_rows(attention, unit, dy);
    float scores[ROWS][SCORES], gradients[ROWS][SCORES], sums[ROWS][COLUMNS] = {};
    for (size_t key = 0; key < end; key += TILE) {
        multiply(unit.q, query, unit.k, key, width, shared, scores);
        multiply(dy_rows, query, unit.v, key, width, shared, gradients);
        for (unsigned x = 0; x < ROWS; x++)
            for (unsigned y = 0; y < SCORES; y++)
                differentiate(attention, unit, rows, query + own_row() + x, key + own_column() + y * ACROSS,
                              scores[x][y], gradients[x][y]);
        add_weighted(gradients, unit.k, key, column, width, shared, sums);
    }
    put_sums(sums, query, column, width, unit.queries, attention.q_stride, to.replaces,
             to.q + unit.first_query * attention.q_stride + unit.head * width);
}

/* dK += dSᵀ·Q, dV += dropout(P)ᵀ·dY; with rows of keys and columns of queries. */
__global__ void __launch_bounds__(THREADS)
    key_gradient_kernel(Attention attention, QueryRows rows, const float *dy, AttentionGradients to) {
    __shared__ Shared shared;
    const Unit unit = find_unit(attention, blockIdx.x);
    const size_t key = static_cast<size_t>(blockIdx.y) * TILE,
                 column = static_cast<size_t>(blockIdx.z) * CHUNK;
    const size_t width = attention.width;
    if (key >= unit.keys) return;
    const Rows dy_rows = result_rows(attention, unit, dy);
    float scores[ROWS][SCORES], gradients[ROWS][SCORES];
    float k_sums[ROWS][COLUMNS] = {}, v_sums[ROWS][COLUMNS] = {};
    for (size_t query = attention.causal ? key : 0; query < unit.queries; query += TILE) {
        multiply(unit.k, key, unit.q, query, width, shared, scores);
        multiply(unit.v, key, dy_rows, query, width, shared, gradients);
        for (unsigned x = 0; x < ROWS; x++)
            for (unsigned y = 0; y < SCORES; y++)
                scores[x][y] = differentiate(attention, unit, rows, query + own_column() + y * ACROSS,
                                             key + own_row() + x, scores[x][y], gradients[x][y]);
        if (to.v) add_weighted(scores, dy_rows, query, column, width, shared, v_sums);
        if (to.k) add_weighted(gradients, unit.q, query, column, width, shared, k_sums);
    }
    if (to.v)
        put_sums(v_sums, key, column, width, unit.keys, attention.v_stride, to.replaces,
                 to.v + unit.first_key * attention.v_stride + unit.head * width);
    if (to.k)
        put_sums(k_sums, key, column, width, unit.keys, attention.k_stride, to.replaces,
                 to.k + unit.first_key * attention.k_stride + unit.head * width);
}

/* A block for each unit, tile of its longest rows, and chunk of columns. */
static dim3 blocks_of(const Attention *attention, size_t most_rows) {
    return grid_of(attention->segments * attention->heads, divide_up(most_rows, TILE),
                   divide_up(attention->width, CHUNK));
}

static void forward(const Attention *attention, Values y, Arena *) {
    const dim3 blocks = blocks_of(attention, attention->most_queries);
    if (!is_empty(blocks)) launch(blocks, THREADS, 0, forward_kernel, *attention, y);
}

static void backward(const Attention *attention, const float *y, const float *dy,
                     AttentionGradients gradients, Arena *) {
    const dim3 query_blocks = blocks_of(attention, attention->most_queries);
    const dim3 key_blocks = blocks_of(attention, attention->most_keys);
    if (is_empty(query_blocks) || is_empty(key_blocks)) return;
    const QueryRows rows = find_query_rows(attention, y, dy, false);
    if (gradients.q) launch(query_blocks, THREADS, 0, query_gradient_kernel, *attention, rows, dy, gradients);
    if (gradients.k || gradients.v)
        launch(key_blocks, THREADS, 0, key_gradient_kernel, *attention, rows, dy, gradients);
}

const AttentionKernels cuda_attention = {attention_kept_size, forward, backward};

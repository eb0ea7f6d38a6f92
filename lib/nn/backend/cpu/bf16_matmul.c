#include "nn/backend/cpu/bf16_matmul.h"

#ifdef __AVX512BF16__

#include "core/memory.h"
#include "nn/backend/cpu/bf16_pairs.h"
#include "nn/backend/cpu/kernels.h"
#include "nn/backend/cpu/packed_matrix.h"
#include "nn/backend/cpu/small_matmul.h"

#include <immintrin.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

/* Rows of a go by in blocks of so many, and so many pairs of their terms, which stay in the cache of a core
 * with those of a panel of b. A copy of a block has some room between its rows, so that they do not push each
 * other out of the cache. */
enum { BLOCK_ROWS = 384, BLOCK_PAIRS = 384, LEFT_STRIDE = 400 };

enum { TILE_ROWS = 6, TILE_VECTORS = PANEL_COLUMNS / SMALL_WIDTH };

/* Operands are fetched so many pairs ahead. */
enum { AHEAD = 8 };

/* Fewer rows for a thread are not worth that each reads all of b. */
enum { LEAST_ROWS = 24 };

typedef struct Product {
    size_t m, n, k;
    Matrix a;
    const Pair *panels; /* of b */
    const float *bias;  /* [n], or NULL */
    bool adds;
    float *c;
    size_t c_stride;
} Product;

/* Rows and columns of c that one thread makes, and the pairs of terms it is at. */
typedef struct Block {
    size_t first_row, rows, first_column, columns, first_pair, pairs;
} Block;

/* The left operand: pair p of row i starts at values[i * row + p * pair]. */
typedef struct Left {
    const uint16_t *values;
    size_t row, pair;
} Left;

/* Some columns of c, not more than a panel has, and what sums start from: a bias, or zero where it is NULL.
 */
typedef struct Target {
    float *values;
    size_t stride, columns;
    const float *bias;
    bool adds;
} Target;

static inline __mmask16 mask_of(size_t columns, size_t vector) {
    const size_t left = columns > vector * SMALL_WIDTH ? columns - vector * SMALL_WIDTH : 0;
    return (__mmask16)(left < SMALL_WIDTH ? (1u << left) - 1 : 0xffff);
}

/* Some rows of c, held in registers; the constant bounds unroll. */
static inline __attribute__((always_inline)) void tile(size_t rows, size_t pairs, Left a, const Pair *b,
                                                       Target c) {
    __m512 sum[TILE_ROWS][TILE_VECTORS];
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < TILE_VECTORS; j++) {
            sum[i][j] = c.bias ? _mm512_maskz_loadu_ps(mask_of(c.columns, j), c.bias + j * SMALL_WIDTH)
                               : _mm512_setzero_ps();
            _mm_prefetch(c.values + i * c.stride + j * SMALL_WIDTH, _MM_HINT_T0);
        }
    for (size_t p = 0; p < pairs; p++, b += PANEL_COLUMNS) {
        __m512bh right[TILE_VECTORS];
        for (size_t j = 0; j < TILE_VECTORS; j++) {
            right[j] = (__m512bh)_mm512_load_si512(b + j * SMALL_WIDTH);
            _mm_prefetch(b + AHEAD * PANEL_COLUMNS + j * SMALL_WIDTH, _MM_HINT_T0);
        }
        _mm_prefetch(a.values + (p + AHEAD) * a.pair, _MM_HINT_T0);
        for (size_t i = 0; i < rows; i++) {
            const Pair *left = (const Pair *)(a.values + i * a.row + p * a.pair);
            const __m512bh factor = (__m512bh)_mm512_set1_epi32((int)*left);
            for (size_t j = 0; j < TILE_VECTORS; j++)
                sum[i][j] = _mm512_dpbf16_ps(sum[i][j], factor, right[j]);
        }
    }
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < TILE_VECTORS; j++) {
            float *to = c.values + i * c.stride + j * SMALL_WIDTH;
            const __mmask16 mask = mask_of(c.columns, j);
            if (c.adds) sum[i][j] = _mm512_add_ps(sum[i][j], _mm512_maskz_loadu_ps(mask, to));
            _mm512_mask_storeu_ps(to, mask, sum[i][j]);
        }
}

static void multiply_panel(size_t rows, size_t pairs, Left a, const Pair *b, Target c) {
    size_t i = 0;
    for (; i + TILE_ROWS <= rows; i += TILE_ROWS) {
        tile(TILE_ROWS, pairs, a, b, c);
        a.values += TILE_ROWS * a.row;
        c.values += TILE_ROWS * c.stride;
    }
    for (; i + 2 <= rows; i += 2) {
        tile(2, pairs, a, b, c);
        a.values += 2 * a.row;
        c.values += 2 * c.stride;
    }
    if (i < rows) tile(1, pairs, a, b, c);
}

/* Where a does not lie as it is read: its terms are not together, or the last one has no other. */
static bool copies_left(const Product *product) {
    return product->a.transposed || product->k % 2;
}

/* The block's terms of a, as they lie or in `room`. */
static Left left_operand(const Product *product, const Block *block, Pair *room) {
    const Matrix a = product->a;
    const size_t term = 2 * block->first_pair, terms = smaller(2 * block->pairs, product->k - term);
    if (a.transposed) {
        pair_rows(terms, block->rows, a.rounded + term * a.stride + block->first_row, a.stride, room,
                  LEFT_STRIDE);
        return (Left){(uint16_t *)room, 2, 2 * LEFT_STRIDE};
    }
    const uint16_t *rows = a.rounded + block->first_row * a.stride + term;
    if (!copies_left(product)) return (Left){rows, a.stride, 2};
    for (size_t i = 0; i < block->rows; i++) {
        Pair *to = room + i * block->pairs;
        to[block->pairs - 1] = 0;
        memcpy(to, rows + i * a.stride, terms * sizeof *rows);
    }
    return (Left){(uint16_t *)room, 2 * block->pairs, 2};
}

/* The block's terms, of all its columns. */
static void multiply_terms(const Product *product, Block block, Pair *room) {
    const Left a = left_operand(product, &block, room);
    const size_t end = block.first_column + block.columns, stride = product->c_stride;
    const Pair *panels = product->panels + block.first_pair * PANEL_COLUMNS;
    const float *bias = block.first_pair ? NULL : product->bias;
    const bool adds = product->adds || block.first_pair;
    float *c = product->c + block.first_row * stride;
    for (size_t column = block.first_column; column < end; column += PANEL_COLUMNS)
        multiply_panel(block.rows, block.pairs, a, panels + column * pairs_of(product->k),
                       (Target){c + column, stride, smaller(PANEL_COLUMNS, end - column),
                                bias ? bias + column : NULL, adds});
}

static void multiply_block(const Product *product, Block block, Pair *room) {
    const size_t all = pairs_of(product->k);
    for (; block.first_pair < all; block.first_pair += BLOCK_PAIRS) {
        block.pairs = smaller(BLOCK_PAIRS, all - block.first_pair);
        multiply_terms(product, block, room);
    }
}

/* Each thread as many blocks of rows as any other or, where rows are too few, also some of the columns. */
static void multiply(const Product *product) {
    const size_t threads = (size_t)omp_get_max_threads(), m = product->m, n = product->n;
    const size_t blocks = threads * shares(m, threads * BLOCK_ROWS);
    const size_t even = shares(shares(m, blocks), TILE_ROWS) * TILE_ROWS;
    const size_t rows = even > LEAST_ROWS ? even : LEAST_ROWS;
    const size_t columns = columns_for_thread(n, PANEL_COLUMNS, shares(m, rows), threads);
    const size_t room = copies_left(product) ? BLOCK_PAIRS * LEFT_STRIDE : 0;
    Pair *rooms = memory_take_aligned(threads * room * sizeof *rooms);
#pragma omp parallel for collapse(2) schedule(static) if (m * n * product->k > PARALLEL_ELEMENTS)
    for (size_t row = 0; row < m; row += rows)
        for (size_t column = 0; column < n; column += columns)
            multiply_block(product,
                           (Block){row, smaller(rows, m - row), column, smaller(columns, n - column), 0, 0},
                           rooms + (size_t)omp_get_thread_num() * room);
    free(rooms);
}

/* The copy of b in its packing, made anew where it is not current. */
static const Pair *find_packed(size_t k, size_t n, Matrix b) {
    PackedMatrix **copy = &b.packing->copies[true][b.transposed];
    bool *current = &b.packing->current[true][b.transposed];
    if (!*copy) {
        *copy = memory_need(1, sizeof **copy);
        (*copy)->bytes = memory_take_aligned(panels_size(k, n) * sizeof(Pair));
    }
    b.rounded = NULL;
    if (!*current) make_panels(k, n, b, (*copy)->bytes);
    *current = true;
    return (*copy)->bytes;
}

bool bf16_matmul_is_present(void) {
    return __builtin_cpu_supports("avx512bf16") && !__builtin_cpu_supports("amx-bf16");
}

void bf16_matmul(size_t m, size_t n, size_t k, Matrix a, Matrix b, const float *bias, float beta, float *c,
                 size_t c_stride) {
    Product product = {m, n, k, a, NULL, bias, beta != 0, c, c_stride};
    Pair *own = NULL;
    if (b.packing) {
        product.panels = find_packed(k, n, b);
    } else {
        product.panels = own = memory_take_aligned(panels_size(k, n) * sizeof *own);
        make_panels(k, n, b, own);
    }
    multiply(&product);
    free(own);
}

#else

bool bf16_matmul_is_present(void) {
    return false;
}

void bf16_matmul(size_t m, size_t n, size_t k, Matrix a, Matrix b, const float *bias, float beta, float *c,
                 size_t c_stride) {
    (void)m, (void)n, (void)k, (void)a, (void)b, (void)bias, (void)beta, (void)c, (void)c_stride;
}

#endif

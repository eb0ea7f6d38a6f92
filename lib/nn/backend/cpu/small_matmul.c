#include "nn/backend/cpu/small_matmul.h"

#include <stdint.h>
#include <string.h>

#pragma GCC optimize("fp-contract=fast")

/* Not aligned: operands are columns of tensors. */
typedef float Vector __attribute__((vector_size(64), aligned(4), may_alias));

enum { TILE_ROWS = 6, TILE_VECTORS = 4 };

/* b and c of a product, at the tile's first column. */
typedef struct Columns {
    const float *b;
    size_t b_stride;
    float *c;
    size_t c_stride;
    bool adds;
} Columns;

/* One tile of c, held in registers; the constant bounds unroll. */
static inline __attribute__((always_inline)) void tile(size_t rows, size_t vectors, size_t k, SmallLeft a,
                                                       size_t first, Columns columns) {
    Vector sum[TILE_ROWS][TILE_VECTORS] = {{{0}}};
    a.values += first * a.row;
    for (size_t p = 0; p < k; p++) {
        const Vector *row = (const Vector *)(columns.b + p * columns.b_stride);
        for (size_t i = 0; i < rows; i++) {
            const float factor = a.values[i * a.row + p * a.column];
            for (size_t j = 0; j < vectors; j++)
                sum[i][j] += factor * row[j];
        }
    }
    for (size_t i = 0; i < rows; i++) {
        Vector *to = (Vector *)(columns.c + (first + i) * columns.c_stride);
        for (size_t j = 0; j < vectors; j++) {
            if (columns.adds) sum[i][j] += to[j];
            to[j] = sum[i][j];
        }
    }
}

static inline __attribute__((always_inline)) void column_of_tiles(size_t vectors, size_t m, size_t k,
                                                                  SmallLeft a, Columns columns) {
    size_t i = 0;
    for (; i + TILE_ROWS <= m; i += TILE_ROWS)
        tile(TILE_ROWS, vectors, k, a, i, columns);
    for (; i + 2 <= m; i += 2)
        tile(2, vectors, k, a, i, columns);
    if (i < m) tile(1, vectors, k, a, i, columns);
}

void small_matmul(size_t m, size_t n, size_t k, SmallLeft a, const float *b, size_t b_stride, bool adds,
                  float *c, size_t c_stride) {
    size_t vectors = small_stride(n) / SMALL_WIDTH;
    Columns columns = {b, b_stride, c, c_stride, adds};
    for (; vectors >= TILE_VECTORS; vectors -= TILE_VECTORS) {
        column_of_tiles(TILE_VECTORS, m, k, a, columns);
        columns.b += TILE_VECTORS * SMALL_WIDTH;
        columns.c += TILE_VECTORS * SMALL_WIDTH;
    }
    switch (vectors) {
    case 3:
        column_of_tiles(3, m, k, a, columns);
        break;
    case 2:
        column_of_tiles(2, m, k, a, columns);
        break;
    case 1:
        column_of_tiles(1, m, k, a, columns);
        break;
    default:
        break;
    }
}

typedef int32_t Places __attribute__((vector_size(64)));

/* to = element j of a where the bit `step` of j is not set, else element j − step of b. */
static inline void join_low(const Vector *a, const Vector *b, int step, Vector *to) {
    Places places = {0};
    for (int j = 0; j < SMALL_WIDTH; j++)
        places[j] = j & step ? SMALL_WIDTH + j - step : j;
    *to = __builtin_shuffle(*a, *b, places);
}

/* to = element j + step of a where the bit is not set, else element j of b. */
static inline void join_high(const Vector *a, const Vector *b, int step, Vector *to) {
    Places places = {0};
    for (int j = 0; j < SMALL_WIDTH; j++)
        places[j] = j & step ? SMALL_WIDTH + j : j + step;
    *to = __builtin_shuffle(*a, *b, places);
}

/* A step of the transposition in place: squares of `step` elements beside the diagonal of twice their size
 * change places. */
static inline __attribute__((always_inline)) void swap_squares(Vector block[SMALL_WIDTH], int step) {
#pragma GCC unroll 16
    for (int i = 0; i < SMALL_WIDTH; i++) {
        if (i & step) continue;
        Vector low;
        join_low(&block[i], &block[i + step], step, &low);
        join_high(&block[i], &block[i + step], step, &block[i + step]);
        block[i] = low;
    }
}

static inline void transpose_block(const float *const from[SMALL_WIDTH], size_t columns, float *to,
                                   size_t to_stride) {
    Vector block[SMALL_WIDTH];
#pragma GCC unroll 16
    for (size_t i = 0; i < SMALL_WIDTH; i++)
        block[i] = *(const Vector *)from[i];
    swap_squares(block, 8);
    swap_squares(block, 4);
    swap_squares(block, 2);
    swap_squares(block, 1);
#pragma GCC unroll 16
    for (size_t j = 0; j < SMALL_WIDTH; j++)
        if (j < columns) *(Vector *)(to + j * to_stride) = block[j];
}

void small_transpose(size_t rows, size_t columns, const float *from, size_t from_stride, float *to,
                     size_t to_stride) {
    static const float zeros[SMALL_WIDTH];
    float rest[SMALL_WIDTH][SMALL_WIDTH];
    const float *block[SMALL_WIDTH];
    for (size_t j = 0; j < columns; j += SMALL_WIDTH)
        for (size_t i = 0; i < rows; i += SMALL_WIDTH) {
            const size_t count = columns - j < SMALL_WIDTH ? columns - j : SMALL_WIDTH;
            for (size_t row = 0; row < SMALL_WIDTH; row++) {
                block[row] = i + row < rows ? from + (i + row) * from_stride + j : zeros;
                if (count < SMALL_WIDTH) block[row] = memcpy(rest[row], block[row], count * sizeof *from);
            }
            transpose_block(block, count, to + j * to_stride + i, to_stride);
        }
}

void small_copy(size_t rows, size_t columns, const float *from, size_t from_stride, float *to,
                size_t to_stride) {
    for (size_t i = 0; i < rows; i++) {
        memcpy(to + i * to_stride, from + i * from_stride, columns * sizeof *to);
        memset(to + i * to_stride + columns, 0, (small_stride(columns) - columns) * sizeof *to);
    }
}

#include "nn/small_matmul.h"

#include <string.h>

#pragma GCC optimize("fp-contract=fast")

typedef float Vector __attribute__((vector_size(64), may_alias));

enum { TILE_ROWS = 6, TILE_VECTORS = 4 };

/* One tile of c, held in registers; the constant bounds unroll. */
static inline __attribute__((always_inline)) void tile(size_t rows, size_t vectors, size_t k, const float *a,
                                                       size_t a_stride, const float *b, size_t b_stride,
                                                       float *c, size_t c_stride) {
    Vector sum[TILE_ROWS][TILE_VECTORS] = {{{0}}};
    for (size_t p = 0; p < k; p++) {
        const Vector *row = (const Vector *)(b + p * b_stride);
        for (size_t i = 0; i < rows; i++) {
            const float factor = a[i * a_stride + p];
            for (size_t j = 0; j < vectors; j++)
                sum[i][j] += factor * row[j];
        }
    }
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < vectors; j++)
            ((Vector *)(c + i * c_stride))[j] = sum[i][j];
}

static inline __attribute__((always_inline)) void column_of_tiles(size_t vectors, size_t m, size_t k,
                                                                  const float *a, size_t a_stride,
                                                                  const float *b, size_t b_stride, float *c,
                                                                  size_t c_stride) {
    size_t i = 0;
    for (; i + TILE_ROWS <= m; i += TILE_ROWS)
        tile(TILE_ROWS, vectors, k, a + i * a_stride, a_stride, b, b_stride, c + i * c_stride, c_stride);
    for (; i + 2 <= m; i += 2)
        tile(2, vectors, k, a + i * a_stride, a_stride, b, b_stride, c + i * c_stride, c_stride);
    if (i < m) tile(1, vectors, k, a + i * a_stride, a_stride, b, b_stride, c + i * c_stride, c_stride);
}

void small_matmul(size_t m, size_t n, size_t k, const float *a, size_t a_stride, const float *b,
                  size_t b_stride, float *c, size_t c_stride) {
    size_t vectors = small_stride(n) / SMALL_WIDTH;
    for (; vectors >= TILE_VECTORS;
         vectors -= TILE_VECTORS, b += TILE_VECTORS * SMALL_WIDTH, c += TILE_VECTORS * SMALL_WIDTH)
        column_of_tiles(TILE_VECTORS, m, k, a, a_stride, b, b_stride, c, c_stride);
    switch (vectors) {
    case 3:
        column_of_tiles(3, m, k, a, a_stride, b, b_stride, c, c_stride);
        break;
    case 2:
        column_of_tiles(2, m, k, a, a_stride, b, b_stride, c, c_stride);
        break;
    case 1:
        column_of_tiles(1, m, k, a, a_stride, b, b_stride, c, c_stride);
        break;
    default:
        break;
    }
}

void small_transpose(size_t rows, size_t columns, const float *from, size_t from_stride, float *to,
                     size_t to_stride) {
    for (size_t j = 0; j < columns; j++) {
        for (size_t i = 0; i < rows; i++)
            to[j * to_stride + i] = from[i * from_stride + j];
        memset(to + j * to_stride + rows, 0, (small_stride(rows) - rows) * sizeof *to);
    }
}

void small_copy(size_t rows, size_t columns, float factor, const float *from, size_t from_stride, float *to,
                size_t to_stride) {
    for (size_t i = 0; i < rows; i++) {
        for (size_t j = 0; j < columns; j++)
            to[i * to_stride + j] = factor * from[i * from_stride + j];
        memset(to + i * to_stride + columns, 0, (small_stride(columns) - columns) * sizeof *to);
    }
}

#include "nn/backend/cpu/narrow_matmul.h"

#include "core/memory.h"
#include "nn/backend/cpu/kernels.h"
#include "nn/backend/cpu/small_matmul.h"

#include <omp.h>
#include <stdlib.h>
#include <string.h>

/* The right operand is taken in panels of so many rows and columns, which stay in the cache of a core while
 * rows of the left one go by. */
enum { PANEL_ROWS = 256, PANEL_COLUMNS = 64 };

/* Rows of c whose last columns, less than a vector, are computed beside it at a time. */
enum { PIECE_ROWS = 32 };

/* So many rows, or terms, for each thread are worth the panels, or parts, that they take. */
enum { LEAST_ROWS = 24, LEAST_TERMS = 512, LARGEST_PART = 1 << 15 };

typedef struct Product {
    size_t m, n, k;
    Matrix a, b;
    float beta, *c;
    size_t c_stride;
} Product;

/* Rows of c, and a panel: rows of b from first_row, columns from first_column. */
typedef struct Part {
    size_t first, rows;
    size_t first_row, panel_rows, first_column, panel_columns;
} Part;

static SmallLeft left_operand(const Product *product, size_t row, size_t column) {
    const size_t stride = product->a.stride;
    return product->a.transposed ? small_left_transposed(product->a.values + column * stride + row, stride)
                                 : small_left(product->a.values + row * stride + column, stride);
}

/* The panel with whole vectors in each row: as it lies, or in `room`. */
static const float *right_operand(const Product *product, const Part *part, size_t *stride, float *room) {
    const Matrix b = product->b;
    const size_t rows = part->panel_rows, columns = part->panel_columns;
    const float *values = b.transposed ? b.values + part->first_column * b.stride + part->first_row
                                       : b.values + part->first_row * b.stride + part->first_column;
    *stride = b.stride;
    if (!b.transposed && columns % SMALL_WIDTH == 0) return values;
    *stride = PANEL_COLUMNS;
    if (b.transposed)
        small_transpose(columns, rows, values, b.stride, room, *stride);
    else
        small_copy(rows, columns, values, b.stride, room, *stride);
    return room;
}

static void multiply_beside(const Product *product, const Part *part, const float *b, size_t b_stride,
                            bool adds, float *c) {
    float piece[PIECE_ROWS * PANEL_COLUMNS];
    for (size_t i = 0; i < part->rows; i += PIECE_ROWS) {
        const size_t rows = smaller(PIECE_ROWS, part->rows - i);
        small_matmul(rows, part->panel_columns, part->panel_rows,
                     left_operand(product, part->first + i, part->first_row), b, b_stride, false, piece,
                     PANEL_COLUMNS);
        for (size_t row = 0; row < rows; row++) {
            float *to = c + (i + row) * product->c_stride;
            if (adds)
                add_row(part->panel_columns, piece + row * PANEL_COLUMNS, to);
            else
                copy_rows(1, part->panel_columns, piece + row * PANEL_COLUMNS, to);
        }
    }
}

static void multiply_part(const Product *product, const Part *part) {
    float room[PANEL_ROWS * PANEL_COLUMNS];
    size_t stride;
    const float *b = right_operand(product, part, &stride, room);
    const bool adds = part->first_row || product->beta != 0;
    float *c = product->c + part->first * product->c_stride + part->first_column;
    if (part->panel_columns % SMALL_WIDTH == 0)
        small_matmul(part->rows, part->panel_columns, part->panel_rows,
                     left_operand(product, part->first, part->first_row), b, stride, adds, c,
                     product->c_stride);
    else
        multiply_beside(product, part, b, stride, adds, c);
}

/* Some rows of c, and of these the columns first_column … end − 1. */
static void multiply_rows(const Product *product, size_t first, size_t rows, size_t first_column,
                          size_t end) {
    for (size_t row = 0; row < product->k; row += PANEL_ROWS)
        for (size_t column = first_column; column < end; column += PANEL_COLUMNS)
            multiply_part(product, &(Part){first, rows, row, smaller(PANEL_ROWS, product->k - row), column,
                                           smaller(PANEL_COLUMNS, end - column)});
}

/* Each thread some rows of c or, where they are too few for all, some of their columns, by whole panels: no
 * sum depends on who makes it. */
static void multiply_by_rows(const Product *product, size_t threads) {
    const size_t m = product->m, n = product->n, even = shares(m, threads);
    const size_t rows = even > LEAST_ROWS ? even : LEAST_ROWS;
    const size_t columns = columns_for_thread(n, PANEL_COLUMNS, shares(m, rows), threads);
#pragma omp parallel for collapse(2) schedule(static) if (m * n * product->k > PARALLEL_ELEMENTS)
    for (size_t row = 0; row < m; row += rows)
        for (size_t column = 0; column < n; column += columns)
            multiply_rows(product, row, smaller(rows, m - row), column, smaller(n, column + columns));
}

/* c = the sum of parts [count, m, n], or c += it. */
static void add_parts(const Product *product, size_t count, const float *parts) {
    const size_t n = product->n, size = product->m * n;
#pragma omp parallel for schedule(static) if (size > PARALLEL_ELEMENTS)
    for (size_t i = 0; i < product->m; i++) {
        float *to = product->c + i * product->c_stride;
        if (product->beta == 0) memset(to, 0, n * sizeof *to);
        for (size_t part = 0; part < count; part++)
            add_row(n, parts + part * size + i * n, to);
    }
}

/* Each thread some terms, which are rows of both operands: those that it has most likely made itself, so that
 * they are in its cache. */
static void multiply_by_terms(const Product *product, size_t threads) {
    const size_t k = product->k, size = product->m * product->n, share = shares(k, threads);
    float *parts = memory_take_aligned(threads * size * sizeof *parts);
#pragma omp parallel for schedule(static)
    for (size_t first = 0; first < k; first += share) {
        const Product part = {product->m,
                              product->n,
                              smaller(share, k - first),
                              rows_from(product->a, first),
                              rows_from(product->b, first),
                              0,
                              parts + first / share * size,
                              product->n};
        multiply_rows(&part, 0, part.m, 0, part.n);
    }
    add_parts(product, shares(k, share), parts);
    free(parts);
}

/* Registers must hold 64 bytes. */
#ifdef __AVX512F__
enum { NARROW = 64 };
#else
enum { NARROW = 0 };
#endif

bool narrow_matmul(size_t m, size_t n, size_t k, Matrix a, Matrix b, float beta, float *c, size_t c_stride) {
    const Product product = {m, n, k, a, b, beta, c, c_stride};
    const size_t threads = (size_t)omp_get_max_threads();
    if (smaller(m, smaller(n, k)) > NARROW) return false;
    if (a.transposed && !b.transposed && m * n <= LARGEST_PART && k >= LEAST_TERMS * threads)
        multiply_by_terms(&product, threads);
    else if (m >= LEAST_ROWS)
        multiply_by_rows(&product, threads);
    else
        return false;
    return true;
}

#include "nn/backend/cpu/narrow_matmul.h"

#include "nn/backend/cpu/kernels.h"
#include "nn/backend/cpu/small_matmul.h"

#include <omp.h>

/* The right operand is taken in panels of so many rows and columns, which stay in the cache of a core while
 * rows of the left one go by. */
enum { PANEL_ROWS = 256, PANEL_COLUMNS = 64 };

/* Rows of c whose last columns, less than a vector, are computed beside it at a time. */
enum { PIECE_ROWS = 32 };

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

static void multiply_rows(const Product *product, size_t first, size_t rows) {
    for (size_t row = 0; row < product->k; row += PANEL_ROWS)
        for (size_t column = 0; column < product->n; column += PANEL_COLUMNS)
            multiply_part(product, &(Part){first, rows, row, smaller(PANEL_ROWS, product->k - row), column,
                                           smaller(PANEL_COLUMNS, product->n - column)});
}

/* Where registers hold 64 bytes, one side of at most NARROW, and enough rows for each thread that the panels
 * are worth loading. */
static bool is_narrow(size_t m, size_t n, size_t k, size_t threads) {
#ifdef __AVX512F__
    enum { NARROW = 64, LEAST_ROWS = 24 };
    return m >= LEAST_ROWS * threads && (m <= NARROW || n <= NARROW || k <= NARROW);
#else
    (void)m, (void)n, (void)k, (void)threads;
    return false;
#endif
}

bool narrow_matmul(size_t m, size_t n, size_t k, Matrix a, Matrix b, float beta, float *c, size_t c_stride) {
    const Product product = {m, n, k, a, b, beta, c, c_stride};
    const size_t threads = (size_t)omp_get_max_threads(), share = (m + threads - 1) / threads;
    if (!is_narrow(m, n, k, threads)) return false;
#pragma omp parallel for schedule(static) if (m * n * k > PARALLEL_ELEMENTS)
    for (size_t first = 0; first < m; first += share)
        multiply_rows(&product, first, smaller(share, m - first));
    return true;
}

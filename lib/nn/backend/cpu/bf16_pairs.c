#include "nn/backend/cpu/bf16_pairs.h"

#ifdef __AVX512BF16__

#include "nn/backend/cpu/kernels.h"
#include "nn/backend/cpu/rounding.h"
#include "nn/backend/cpu/small_matmul.h"

#include <immintrin.h>
#include <string.h>

/* A thread lays out so many pairs of a panel at a time. */
enum { CHUNK = 64 };

/* Values of a row that are paired at a time. */
enum { AT_ONCE = 32 };

/* to [AT_ONCE] = `count` values, or all, of two rows, paired; where there are none, or no second row, zeros.
 * `ahead` is how far away what is wanted soon lies. */
static inline void pair_values(size_t count, const uint16_t *first, const uint16_t *second, ptrdiff_t ahead,
                               Pair *to) {
    const __m512i before = _mm512_setr_epi64(0, 1, 8, 9, 2, 3, 10, 11);
    const __m512i behind = _mm512_setr_epi64(4, 5, 12, 13, 6, 7, 14, 15);
    const __mmask32 mask = count < AT_ONCE ? (1u << count) - 1 : 0xffffffff;
    const __m512i x = _mm512_maskz_loadu_epi16(mask, first);
    const __m512i y = second ? _mm512_maskz_loadu_epi16(mask, second) : _mm512_setzero_si512();
    const __m512i low = _mm512_unpacklo_epi16(x, y), high = _mm512_unpackhi_epi16(x, y);
    _mm_prefetch(first + ahead, _MM_HINT_T0);
    if (second) _mm_prefetch(second + ahead, _MM_HINT_T0);
    _mm512_storeu_si512(to, _mm512_permutex2var_epi64(low, before, high));
    _mm512_storeu_si512(to + SMALL_WIDTH, _mm512_permutex2var_epi64(low, behind, high));
}

void pair_rows(size_t rows, size_t columns, const uint16_t *from, size_t from_stride, Pair *to,
               size_t stride) {
    enum { ROWS_AHEAD = 8 };
    for (size_t i = 0; i < rows; i += 2, to += stride) {
        const uint16_t *first = from + i * from_stride, *second = i + 1 < rows ? first + from_stride : NULL;
        for (size_t j = 0; j < columns; j += AT_ONCE)
            pair_values(columns - j, first + j, second ? second + j : NULL,
                        (ptrdiff_t)(ROWS_AHEAD * from_stride), to + j);
    }
}

/* Some terms and columns of b, of one panel. */
typedef struct Piece {
    Matrix b;
    size_t first_term, terms, first_column, columns;
} Piece;

/* `count` values of a row of the matrix as it lies, from `first` on: where they are, or rounded into room. */
static const uint16_t *row_of(Matrix matrix, size_t row, size_t first, size_t count, uint16_t *room) {
    const size_t at = row * matrix.stride + first;
    if (matrix.rounded) return matrix.rounded + at;
    round_row(count, matrix.values + at, room);
    return room;
}

static void make_piece(const Piece *piece, Pair *to) {
    uint16_t rooms[2][PANEL_COLUMNS];
    for (size_t i = 0; i < piece->terms; i += 2, to += PANEL_COLUMNS) {
        const uint16_t *rows[2] = {NULL, NULL};
        for (size_t r = 0; r < 2 && i + r < piece->terms; r++)
            rows[r] =
                row_of(piece->b, piece->first_term + i + r, piece->first_column, piece->columns, rooms[r]);
        for (size_t j = 0; j < PANEL_COLUMNS; j += AT_ONCE)
            pair_values(piece->columns > j ? piece->columns - j : 0, rows[0] + j,
                        rows[1] ? rows[1] + j : NULL, PANEL_COLUMNS, to + j);
    }
}

/* Of b whose columns lie as rows. */
static void make_turned_piece(const Piece *piece, Pair *to) {
    uint16_t rows[PANEL_COLUMNS][2 * CHUNK] __attribute__((aligned(64))) = {{0}};
    for (size_t j = 0; j < piece->columns; j++) {
        const uint16_t *row =
            row_of(piece->b, piece->first_column + j, piece->first_term, piece->terms, rows[j]);
        if (row != rows[j]) memcpy(rows[j], row, piece->terms * sizeof *row);
    }
    small_transpose(PANEL_COLUMNS, pairs_of(piece->terms), (const float *)rows, CHUNK, (float *)to,
                    PANEL_COLUMNS);
}

void make_panels(size_t k, size_t n, Matrix b, Pair *to) {
    const size_t pairs = pairs_of(k);
#pragma omp parallel for collapse(2) schedule(static) if (k * n > PARALLEL_ELEMENTS)
    for (size_t pair = 0; pair < pairs; pair += CHUNK)
        for (size_t column = 0; column < n; column += PANEL_COLUMNS) {
            const Piece piece = {b, 2 * pair, smaller(2 * CHUNK, k - 2 * pair), column,
                                 smaller(PANEL_COLUMNS, n - column)};
            (b.transposed ? make_turned_piece : make_piece)(&piece,
                                                            to + column * pairs + pair * PANEL_COLUMNS);
        }
}

#endif

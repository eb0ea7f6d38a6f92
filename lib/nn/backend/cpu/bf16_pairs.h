/* Operands of products in bf16 laid out as AVX-512 BF16 reads them: by pairs of terms, which it multiplies
 * and adds up at a time. Only where the compiler has it. */
#ifndef NN_BACKEND_CPU_BF16_PAIRS_H
#define NN_BACKEND_CPU_BF16_PAIRS_H

#include "nn/backend/matrix.h"

/* Two terms of a row or a column, in bf16. */
typedef uint32_t Pair __attribute__((aligned(2), may_alias));

/* Columns of a panel: a right operand's terms are [pairs, PANEL_COLUMNS] in it, panel behind panel. */
enum { PANEL_COLUMNS = 64 };

static inline size_t pairs_of(size_t terms) {
    return (terms + 1) / 2;
}

/* Pairs in the panels of a right operand [k, n]. */
static inline size_t panels_size(size_t k, size_t n) {
    return (n + PANEL_COLUMNS - 1) / PANEL_COLUMNS * PANEL_COLUMNS * pairs_of(k);
}

/* to [panels_size] = b [k, n], by all threads, with zeros behind its last column and term; from b.rounded or,
 * where that is NULL, from b.values. */
void make_panels(size_t k, size_t n, Matrix b, Pair *to);

/* to [pairs_of(rows), stride] = the columns of from [rows, from_stride], of which there may be some 32 more
 * in `to`, with zeros behind the last term. */
void pair_rows(size_t rows, size_t columns, const uint16_t *from, size_t from_stride, Pair *to,
               size_t stride);

#endif

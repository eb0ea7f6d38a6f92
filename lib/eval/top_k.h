/* The k best of scores that come by and by, by partial selection: a heap of k, and a threshold that most
 * scores do not pass. */
#ifndef EVAL_TOP_K_H
#define EVAL_TOP_K_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct ScoredItem {
    uint32_t item;
    float score;
} ScoredItem;

typedef struct TopK {
    ScoredItem *best; /* [k], owned by the caller: a heap, the worst of them first */
    size_t k, count;
    const uint32_t *excluded; /* items that are not taken, rising */
    size_t excluded_count;
    uint32_t bad; /* an item whose score is not finite; 0: none */
} TopK;

void top_k_start(TopK *top, ScoredItem *best, size_t k, const uint32_t *excluded, size_t excluded_count);

/* Adds items, which rise from call to call: of equal scores the smaller items are taken. */
void top_k_add(TopK *top, const uint32_t *items, size_t count, const float *scores);

/* Sorts the best, the highest score first, of equal ones the smaller item. Nothing can be added any more. */
void top_k_sort(TopK *top);

#endif

#include "eval/top_k.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>

enum { CHUNK = 32 };

void top_k_start(TopK *top, ScoredItem *best, size_t k, const uint32_t *excluded, size_t excluded_count) {
    *top = (TopK){.best = best, .k = k, .excluded = excluded, .excluded_count = excluded_count};
}

/* Whether a is recommended after b. */
static bool is_worse(ScoredItem a, ScoredItem b) {
    return a.score < b.score || (a.score == b.score && a.item > b.item);
}

static void sift_up(ScoredItem *heap, size_t place) {
    const ScoredItem item = heap[place];
    while (place && is_worse(item, heap[(place - 1) / 2])) {
        heap[place] = heap[(place - 1) / 2];
        place = (place - 1) / 2;
    }
    heap[place] = item;
}

/* Puts an item in place of the worst. */
static void replace_worst(ScoredItem *heap, size_t count, ScoredItem item) {
    size_t place = 0;
    for (size_t child; (child = 2 * place + 1) < count; place = child) {
        if (child + 1 < count && is_worse(heap[child + 1], heap[child])) child++;
        if (!is_worse(heap[child], item)) break;
        heap[place] = heap[child];
    }
    heap[place] = item;
}

static int compare_items(const void *a, const void *b) {
    const uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static bool is_excluded(const TopK *top, uint32_t item) {
    return top->excluded_count &&
           bsearch(&item, top->excluded, top->excluded_count, sizeof *top->excluded, compare_items);
}

static void add(TopK *top, ScoredItem item) {
    if (!(fabsf(item.score) <= FLT_MAX)) {
        if (!top->bad) top->bad = item.item;
        return;
    }
    if (top->count == top->k && !is_worse(top->best[0], item)) return;
    if (is_excluded(top, item.item)) return;
    if (top->count == top->k) {
        replace_worst(top->best, top->count, item);
    } else {
        top->best[top->count] = item;
        sift_up(top->best, top->count++);
    }
}

/* Whether a chunk holds a score above the threshold or one that is not finite. */
static bool is_of_interest(const float *scores, float threshold) {
    int interest = 0;
    for (size_t i = 0; i < CHUNK; i++)
        interest |= !(scores[i] <= threshold) | !(scores[i] >= -FLT_MAX);
    return interest;
}

void top_k_add(TopK *top, const uint32_t *items, size_t count, const float *scores) {
    size_t first = 0;
    for (; first + CHUNK <= count; first += CHUNK) {
        if (top->count == top->k && !is_of_interest(scores + first, top->best[0].score)) continue;
        for (size_t i = first; i < first + CHUNK; i++)
            add(top, (ScoredItem){items[i], scores[i]});
    }
    for (; first < count; first++)
        add(top, (ScoredItem){items[first], scores[first]});
}

static int better_first(const void *a, const void *b) {
    const ScoredItem x = *(const ScoredItem *)a, y = *(const ScoredItem *)b;
    return is_worse(x, y) ? 1 : -1;
}

void top_k_sort(TopK *top) {
    qsort(top->best, top->count, sizeof *top->best, better_first);
}

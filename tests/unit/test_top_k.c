/* The best by partial selection against a whole sort. */
#include "check.h"

#include "core/memory.h"
#include "core/random.h"
#include "eval/top_k.h"

static int by_the_definition(const void *a, const void *b) {
    const ScoredItem x = *(const ScoredItem *)a, y = *(const ScoredItem *)b;
    if (x.score != y.score) return x.score < y.score ? 1 : -1;
    return x.item > y.item ? 1 : -1;
}

/* Sorts what is not excluded; returns how many. */
static size_t sort_all(const uint32_t *items, size_t count, const float *scores, const bool *excluded,
                       ScoredItem *sorted) {
    size_t left = 0;
    for (size_t i = 0; i < count; i++)
        if (!excluded[items[i]]) sorted[left++] = (ScoredItem){items[i], scores[i]};
    qsort(sorted, left, sizeof *sorted, by_the_definition);
    return left;
}

enum { MOST = 700 };

static void check_round(Random *random, int round) {
    uint32_t items[MOST], excluded[2 * MOST];
    float scores[MOST];
    bool is_excluded[2 * MOST + 1] = {false};
    ScoredItem want[MOST], got[MOST];
    const size_t count = (size_t)random_below(random, MOST), k = 1 + (size_t)random_below(random, 60);
    const uint64_t levels = 1 + random_below(random, 300); /* few levels, many ties */
    uint32_t item = 0;
    size_t excluded_count = 0;
    for (size_t i = 0; i < count; i++) {
        items[i] = item += 1 + (uint32_t)random_below(random, 2);
        scores[i] = (float)random_below(random, levels) - 100;
        is_excluded[item] = !random_below(random, 5);
    }
    for (uint32_t i = 1; i <= item; i++)
        if (is_excluded[i] || !random_below(random, 9)) {
            is_excluded[i] = true;
            excluded[excluded_count++] = i;
        }
    TopK top;
    top_k_start(&top, got, k, excluded, excluded_count);
    for (size_t first = 0; first < count;) {
        const size_t tile = 1 + (size_t)random_below(random, count - first);
        top_k_add(&top, items + first, tile, scores + first);
        first += tile;
    }
    top_k_sort(&top);
    const size_t left = sort_all(items, count, scores, is_excluded, want);
    CHECK(top.count == (left < k ? left : k) && !top.bad, "round %d: %zu", round, top.count);
    for (size_t i = 0; i < top.count; i++)
        CHECK(got[i].item == want[i].item && got[i].score == want[i].score, "round %d, place %zu", round, i);
}

static void the_best_are_those_of_a_whole_sort(void) {
    Random random;
    random_seed(&random, 1, 0);
    for (int round = 0; round < 3000; round++)
        check_round(&random, round);
}

static void ties_go_by_the_order_of_the_items(void) {
    static const uint32_t items[] = {2, 3, 5, 7, 9};
    static const float scores[] = {1, 2, 1, 2, 1};
    ScoredItem best[4];
    TopK top;
    top_k_start(&top, best, 4, (const uint32_t[]){3}, 1);
    top_k_add(&top, items, 5, scores);
    top_k_sort(&top);
    CHECK(top.count == 4 && best[0].item == 7 && best[1].item == 2 && best[2].item == 5 && best[3].item == 9);
}

/* Wherever it stands, and below the threshold, too. */
static void a_score_that_is_not_finite_is_seen(void) {
    static const float bad[] = {NAN, INFINITY, -INFINITY};
    for (size_t b = 0; b < 3; b++)
        for (size_t place = 0; place < 100; place++) {
            uint32_t items[100];
            float scores[100];
            ScoredItem best[3];
            TopK top;
            for (uint32_t i = 0; i < 100; i++) {
                items[i] = i + 1;
                scores[i] = (float)(100 - i);
            }
            scores[place] = bad[b];
            top_k_start(&top, best, 3, NULL, 0);
            top_k_add(&top, items, 100, scores);
            CHECK(top.bad == place + 1, "%g at %zu", (double)bad[b], place);
        }
}

RUN_TESTS(TEST(the_best_are_those_of_a_whole_sort), TEST(ties_go_by_the_order_of_the_items),
          TEST(a_score_that_is_not_finite_is_seen))

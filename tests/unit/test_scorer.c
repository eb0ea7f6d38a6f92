/* Ranks by tiles of candidates against ranks over whole rows of scores, and the best on a card against those
 * on the processor. */
#include "behaviours_from.h"

#include "core/parallel.h"
#include "eval/scorer.h"

enum { DIM = 3, ITEMS = 9000, USERS = 2300 };

/* Small whole numbers: products are exact, and many are equal. */
static float *whole_numbers(Random *random, size_t count) {
    float *values = memory_need(count, sizeof *values);
    for (size_t i = 0; i < count; i++)
        values[i] = (float)random_below(random, 7) - 3;
    return values;
}

static float product(const float *a, const float *b) {
    float sum = 0;
    for (size_t d = 0; d < DIM; d++)
        sum += a[d] * b[d];
    return sum;
}

/* Users of `items` items, some of them long, so that all items are met. */
static Behaviours many_behaviours(Random *random) {
    char *text;
    size_t size;
    FILE *file = open_memstream(&text, &size);
    for (size_t user = 0; user < USERS; user++) {
        fprintf(file, "u%zu\t", user);
        const size_t length = 3 + random_below(random, 9);
        for (size_t i = 0; i < length; i++)
            fprintf(file, "%si%d", i ? " " : "", 26 + (int)random_below(random, ITEMS - 26));
        fputc('\n', file);
    }
    fclose(file);
    NameTable *items = some_items(ITEMS);
    Behaviours behaviours;
    Error error = {""};
    CHECK(behaviours_from_bytes(&behaviours, text, size, items,
                                (BehavioursOptions){.min_seq_len = 3, .max_seq_len = 4}, &error),
          "%s", error.message);
    name_table_destroy(items);
    free(text);
    return behaviours;
}

typedef struct Case {
    Behaviours behaviours;
    float *states; /* in the backend's memory */
    float *vectors;
    double *want;
    Tape *tape;
    Scorer scorer;
} Case;

static Case case_create(const Backend *backend, uint64_t seed) {
    Random random;
    random_seed(&random, seed, 0);
    Case c = {.behaviours = many_behaviours(&random)};
    const size_t candidates = c.behaviours.known_count;
    float *states = whole_numbers(&random, USERS * DIM);
    c.vectors = whole_numbers(&random, (candidates + 1) * DIM);
    c.want = memory_need(USERS, sizeof *c.want);
    c.tape = tape_create(backend, false);
    c.scorer = (Scorer){NULL, c.tape, {DIM, .padding = c.vectors, .array = c.vectors}};
    c.states = scorer_take(&c.scorer, USERS);
    scorer_write(&c.scorer, states, USERS, c.states);
    float *row = memory_need(candidates + 1, sizeof *row);
    for (size_t user = 0; user < USERS; user++) {
        Error error;
        for (size_t i = 1; i <= candidates; i++)
            row[i] = product(states + user * DIM, c.vectors + i * DIM);
        CHECK(rank_target(row, c.behaviours.known_count, split_target(&c.behaviours, SPLIT_TEST, user),
                          split_history(&c.behaviours, SPLIT_TEST, user), &c.want[user], &error));
    }
    free(row);
    free(states);
    return c;
}

static void case_free(Case *c) {
    behaviours_free(&c->behaviours);
    scorer_release(&c->scorer, c->states, USERS);
    free(c->vectors);
    free(c->want);
    tape_destroy(c->tape);
}

static void check_ranks(const Case *c) {
    Error error = {""};
    double *got = memory_need(USERS, sizeof *got);
    const UserChoice all = {.behaviours = &c->behaviours, .split = SPLIT_TEST, .count = USERS};
    CHECK(c->behaviours.user_count == USERS);
    CHECK(scorer_rank_states(&c->scorer, c->states, &all, c->behaviours.known_count, got, &error), "%s",
          error.message);
    for (size_t user = 0; user < USERS; user++)
        CHECK(got[user] == c->want[user], "user %zu: %g, not %g", user, got[user], c->want[user]);
    free(got);
}

static void ranks_by_tiles_are_those_of_whole_rows(void) {
    const int before = parallel_threads();
    Case c = case_create(&backend_cpu, 1);
    for (int threads = 1; threads <= 3; threads += 2) {
        parallel_set_threads(threads);
        check_ranks(&c);
    }
    parallel_set_threads(before);
    case_free(&c);
}

/* Rounds otherwise when the matrix is small, as the products of the targets are. */
static void multiply_unevenly(size_t m, size_t n, size_t k, Matrix a, Matrix b, float beta, float *c,
                              size_t c_stride) {
    backend_cpu.matmul(m, n, k, a, b, beta, c, c_stride);
    for (size_t i = 0; n <= 256 && i < m; i++)
        for (size_t j = 0; j < n; j++)
            c[i * c_stride + j] += 0.25f;
}

static void a_product_may_round_targets_otherwise(void) {
    Backend uneven = backend_cpu;
    uneven.matmul = multiply_unevenly;
    Case c = case_create(&uneven, 2);
    check_ranks(&c);
    case_free(&c);
}

static void check_some_ranks(const Case *c, const uint32_t *users, size_t count) {
    float *states = scorer_take(&c->scorer, count);
    double *got = memory_need(count, sizeof *got);
    Error error = {""};
    for (size_t i = 0; i < count; i++)
        c->tape->backend->memory->copy(DIM * sizeof *states, c->states + users[i] * DIM, states + i * DIM);
    const UserChoice some = {
        .behaviours = &c->behaviours, .split = SPLIT_TEST, .users = users, .count = count};
    CHECK(scorer_rank_states(&c->scorer, states, &some, c->behaviours.known_count, got, &error));
    for (size_t i = 0; i < count; i++)
        CHECK(got[i] == c->want[users[i]]);
    scorer_release(&c->scorer, states, count);
    free(got);
}

static void some_users_alone(void) {
    Case c = case_create(&backend_cpu, 3);
    check_some_ranks(&c, (const uint32_t[]){2299, 5, 700}, 3);
    case_free(&c);
}

/* With one tile for all candidates, and with several, whose products round otherwise. */
static void a_card_ranks_the_same(void) {
    enum { SOME = 150 };
    Error error = {""};
    uint32_t users[SOME];
    const Backend *card = backend_find("cuda-on-host", "f32", &error);
    CHECK(card, "%s", error.message);
    for (uint32_t i = 0; i < SOME; i++)
        users[i] = 7 * i;
    for (size_t columns = 20000; columns; columns = columns > 2000 ? 2000 : 0) {
        Backend tiled = *card;
        tiled.score_rows = 64;
        tiled.score_columns = columns;
        Case c = case_create(&tiled, 5);
        check_some_ranks(&c, users, SOME);
        case_free(&c);
    }
}

/* ---- The best ---- */

/* What a row excludes: rising items, candidates and others. */
typedef struct Wanted {
    Candidates candidates;
    uint32_t (*excluded)[40];
    size_t rows, k;
} Wanted;

static TopK *start_tops(const Wanted *wanted) {
    TopK *tops = memory_need(wanted->rows, sizeof *tops);
    ScoredItem *best = memory_need(wanted->rows * wanted->k, sizeof *best);
    for (size_t i = 0; i < wanted->rows; i++)
        top_k_start(&tops[i], best + i * wanted->k, wanted->k, wanted->excluded[i], i % 40);
    return tops;
}

static void free_tops(TopK *tops) {
    free(tops[0].best);
    free(tops);
}

static void find_best(const Case *c, const Wanted *wanted, TopK *tops) {
    scorer_best(&c->scorer, c->states, wanted->rows, &wanted->candidates, tops);
    for (size_t i = 0; i < wanted->rows; i++)
        top_k_sort(&tops[i]);
}

static void compare_best(const Case *host, const Case *card, const Wanted *wanted) {
    TopK *want = start_tops(wanted), *got = start_tops(wanted);
    find_best(host, wanted, want);
    find_best(card, wanted, got);
    for (size_t i = 0; i < wanted->rows; i++) {
        CHECK(got[i].count == want[i].count && got[i].bad == want[i].bad, "row %zu: %zu, not %zu", i,
              got[i].count, want[i].count);
        for (size_t place = 0; place < want[i].count; place++)
            CHECK(got[i].best[place].item == want[i].best[place].item &&
                      got[i].best[place].score == want[i].best[place].score,
                  "row %zu, place %zu of %zu", i, place, wanted->k);
    }
    free_tops(want);
    free_tops(got);
}

/* All items, and such of which a row's excluded ones are few; the last k is more than a card keeps. */
static void compare_best_of_items(const Case *host, const Case *card) {
    enum { ROWS = 90 };
    static const size_t ks[] = {1, 10, 1024, 1025};
    static uint32_t excluded[ROWS][40];
    Random random;
    Error error;
    uint32_t *items = scorer_all_items(host->behaviours.known_count, &error), *some = items + 3000;
    random_seed(&random, 8, 0);
    for (size_t i = 0; i < ROWS; i++)
        for (uint32_t e = 0, item = 1; e < 40; e++)
            excluded[i][e] = item += 1 + (uint32_t)random_below(&random, 200);
    for (size_t i = 0; i < 4; i++)
        compare_best(host, card, &(Wanted){{items, 3000, false}, excluded, ROWS, ks[i]});
    for (uint32_t i = 0; i < 1500; i++)
        some[i] = 3 * i + 2;
    for (size_t i = 0; i < 4; i++)
        compare_best(host, card, &(Wanted){{some, 1500, false}, excluded, ROWS, ks[i]});
    free(items);
}

static void a_card_finds_the_same_best(void) {
    Error error = {""};
    const Backend *card = backend_find("cuda-on-host", "f32", &error);
    CHECK(card, "%s", error.message);
    Backend tiled = *card;
    tiled.score_rows = 64;
    tiled.score_columns = 1100;
    Case on_host = case_create(&backend_cpu, 6), on_card = case_create(&tiled, 6);
    compare_best_of_items(&on_host, &on_card);
    on_host.vectors[2 * DIM] = on_card.vectors[2 * DIM] = INFINITY;
    compare_best_of_items(&on_host, &on_card);
    case_free(&on_host);
    case_free(&on_card);
}

static void a_vector_that_is_no_number_is_refused(void) {
    Case c = case_create(&backend_cpu, 4);
    double *got = memory_need(USERS, sizeof *got);
    Error error = {""};
    const UserChoice all = {.behaviours = &c.behaviours, .split = SPLIT_TEST, .count = USERS};
    c.vectors[8001 * DIM] = NAN;
    CHECK(!scorer_rank_states(&c.scorer, c.states, &all, c.behaviours.known_count, got, &error));
    CHECK(strstr(error.message, "user \"u0\": the score of item number 8001"), "%s", error.message);
    free(got);
    case_free(&c);
}

RUN_TESTS(TEST(ranks_by_tiles_are_those_of_whole_rows), TEST(a_product_may_round_targets_otherwise),
          TEST(some_users_alone), TEST(a_card_ranks_the_same), TEST(a_card_finds_the_same_best),
          TEST(a_vector_that_is_no_number_is_refused))

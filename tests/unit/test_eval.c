/* Ranks, metrics and baselines. */
#include "behaviours_from.h"

#include "core/parallel.h"
#include "eval/baselines.h"
#include "eval/metrics.h"

#define NEAR(got, want) (fabs((got) - (want)) <= 1e-12)

static double rank_of(const float *scores, uint32_t candidates, uint32_t target, const uint32_t *history,
                      size_t history_count) {
    double rank = -1;
    Error error = {""};
    CHECK(rank_target(scores, candidates, target, (Sequence){history, history_count}, &rank, &error), "%s",
          error.message);
    return rank;
}

static void ranks_by_hand(void) {
    /* Padding scores highest, and does not count. */
    static const float scores[] = {99, 3, 1, 4, 1, 5, 9, 2, 6};
    CHECK(rank_of(scores, 8, 6, NULL, 0) == 1);
    CHECK(rank_of(scores, 8, 5, NULL, 0) == 3);
    CHECK(rank_of(scores, 8, 2, NULL, 0) == 7.5); /* six above, one equal */
    CHECK(rank_of(scores, 7, 2, NULL, 0) == 6.5);
    CHECK(rank_of(scores, 8, 5, (const uint32_t[]){6}, 1) == 2);
    CHECK(rank_of(scores, 8, 5, (const uint32_t[]){6, 1, 6, 8, 6}, 5) == 1); /* 6 is taken off once */
    CHECK(rank_of(scores, 8, 2, (const uint32_t[]){4, 6}, 2) == 6);
    CHECK(rank_of(scores, 7, 2, (const uint32_t[]){8, 6}, 2) == 5.5); /* 8 is no candidate */
    CHECK(rank_of(scores, 1, 1, NULL, 0) == 1);
}

static void a_target_in_the_history_is_masked(void) {
    static const float scores[] = {0, 3, 1, 4, 1, 5};
    CHECK(rank_of(scores, 5, 5, (const uint32_t[]){5}, 1) == 5);
    CHECK(rank_of(scores, 5, 5, (const uint32_t[]){5, 2, 5}, 3) == 4.5); /* 1, 3, 4 above; 2 equal */
    static const float infinite[] = {0, -INFINITY, 2, INFINITY};
    CHECK(rank_of(infinite, 3, 1, (const uint32_t[]){2}, 1) == 2.5);
    CHECK(rank_of(infinite, 3, 2, (const uint32_t[]){2}, 1) == 2.5);
    CHECK(rank_of(infinite, 3, 3, NULL, 0) == 1);
}

static void a_constant_model_ranks_as_chance(void) {
    float scores[101];
    for (size_t i = 0; i <= 100; i++)
        scores[i] = 0.25f;
    CHECK(rank_of(scores, 100, 17, NULL, 0) == 50.5);
    CHECK(rank_of(scores, 100, 17, (const uint32_t[]){3, 4, 5, 3}, 4) == 49);
}

static void a_score_that_is_no_number_is_refused(void) {
    float scores[40] = {NAN};
    double rank;
    Error error = {""};
    CHECK(rank_of(scores, 39, 3, NULL, 0) == 20); /* padding is not read */
    scores[23] = NAN;
    CHECK(!rank_target(scores, 39, 3, (Sequence){0}, &rank, &error));
    CHECK(strstr(error.message, "item number 23 is not a number"), "%s", error.message);
    CHECK(!rank_target(scores, 39, 3, (Sequence){(const uint32_t[]){23}, 1}, &rank, &error));
    CHECK(!rank_target(scores, 39, 23, (Sequence){0}, &rank, &error));
    CHECK(rank_target(scores, 22, 3, (Sequence){0}, &rank, &error) && rank == 11.5);
}

/* The definition, word by word: the history overwritten, the rest sorted. */
static int descending(const void *a, const void *b) {
    const float x = *(const float *)a, y = *(const float *)b;
    return (x < y) - (x > y);
}

static double naive_rank(const float *scores, uint32_t candidates, uint32_t target, Sequence history) {
    float *masked = memory_need((size_t)candidates + 1, sizeof *masked);
    memcpy(masked, scores, ((size_t)candidates + 1) * sizeof *masked);
    for (size_t i = 0; i < history.count; i++)
        if (history.items[i] <= candidates) masked[history.items[i]] = -INFINITY;
    const float score = masked[target];
    qsort(masked + 1, candidates, sizeof *masked, descending);
    uint32_t first = 1;
    while (masked[first] != score)
        first++;
    uint32_t last = first;
    while (last < candidates && masked[last + 1] == score)
        last++;
    free(masked);
    return (first + last) / 2.0; /* the middle of the places that equal scores share */
}

static void ranks_agree_with_sorting(void) {
    Random random;
    random_seed(&random, 1, 0);
    for (int round = 0; round < 3000; round++) {
        const uint32_t candidates = 1 + (uint32_t)random_below(&random, 70);
        const uint64_t levels = 1 + random_below(&random, 50); /* few levels, many ties */
        float scores[71];
        for (uint32_t i = 0; i <= candidates; i++)
            scores[i] = random_below(&random, 30) ? (float)random_below(&random, levels) - 10 : -INFINITY;
        uint32_t history[30];
        const size_t history_count = (size_t)random_below(&random, 30);
        for (size_t i = 0; i < history_count; i++)
            history[i] = 1 + (uint32_t)random_below(&random, 70);
        const uint32_t target = 1 + (uint32_t)random_below(&random, candidates);
        const double got = rank_of(scores, candidates, target, history, history_count);
        const double want = naive_rank(scores, candidates, target, (Sequence){history, history_count});
        CHECK(got == want, "round %d: %g, not %g", round, got, want);
    }
}

static void score_by_hash(const void *context, size_t user, uint32_t candidate_count, float *scores) {
    const uint64_t *seed = context;
    for (uint32_t i = 1; i <= candidate_count; i++)
        scores[i] = (float)(random_hash(*seed + user, i) % 32);
}

static void score_some_users_badly(const void *context, size_t user, uint32_t candidate_count,
                                   float *scores) {
    score_by_hash(context, user, candidate_count, scores);
    if (user % 10 == 7) scores[candidate_count] = NAN;
}

static void users_are_ranked_in_parallel_as_in_turn(void) {
    const int threads_before = parallel_threads();
    Random random;
    random_seed(&random, 2, 0);
    Behaviours b = random_behaviours(&random, 200, 40, 6);
    const uint64_t seed = 11;
    const uint32_t candidates = b.known_count;
    const size_t stride = (size_t)candidates + 3;
    float *scores = memory_need(b.user_count * stride, sizeof *scores);
    double *want = memory_need(b.user_count, sizeof *want), *got = memory_need(b.user_count, sizeof *got);
    Error error = {""};
    for (int split = SPLIT_VALID; split <= SPLIT_TEST; split++) {
        for (size_t user = 0; user < b.user_count; user++) {
            score_by_hash(&seed, user, candidates, scores + user * stride);
            want[user] = naive_rank(scores + user * stride, candidates, split_target(&b, (Split)split, user),
                                    split_history(&b, (Split)split, user));
        }
        for (int threads = 1; threads <= 4; threads += 3) {
            parallel_set_threads(threads);
            CHECK(rank_users(&b, (Split)split, candidates, score_by_hash, &seed, got, &error));
            CHECK(!memcmp(got, want, b.user_count * sizeof *got));
            CHECK(!rank_users(&b, (Split)split, candidates, score_some_users_badly, &seed, got, &error));
            char name[100];
            snprintf(name, sizeof name, "user \"%s\": the score", behaviours_user_name(&b, 7, NULL));
            CHECK(strstr(error.message, name), "%s", error.message);
        }
    }
    parallel_set_threads(threads_before);
    free(scores);
    free(want);
    free(got);
    behaviours_free(&b);
}

static void metrics_by_hand(void) {
    static const double ranks[] = {1, 2.5, 3, 10.5, 10};
    static const bool subset[] = {false, true, false, true, true};
    const Cutoffs cutoffs = {.count = 3, .k = {10, 2, 1}};
    Metrics m = metrics_compute(&cutoffs, ranks, 5, NULL, false);
    CHECK(m.users == 5 && NEAR(m.hr[0], 0.8) && NEAR(m.hr[1], 0.2) && NEAR(m.hr[2], 0.2));
    CHECK(NEAR(m.ndcg[0], (1 + 1 / log2(3.5) + 0.5 + 1 / log2(11)) / 5) && NEAR(m.ndcg[1], 0.2));
    m = metrics_compute(&cutoffs, ranks, 5, subset, true);
    CHECK(m.users == 3 && NEAR(m.hr[0], 2. / 3) && m.hr[1] == 0 && m.ndcg[1] == 0);
    CHECK(NEAR(m.ndcg[0], (1 / log2(3.5) + 1 / log2(11)) / 3));
    m = metrics_compute(&cutoffs, ranks, 5, subset, false);
    CHECK(m.users == 2 && m.hr[0] == 1 && m.hr[1] == 0.5 && NEAR(m.ndcg[0], 0.75));
    m = metrics_compute(&cutoffs, ranks, 0, NULL, false);
    CHECK(m.users == 0 && isnan(m.hr[0]) && isnan(m.ndcg[2]));
}

static void metrics_become_json(void) {
    static const double ranks[] = {1, 3};
    const Cutoffs cutoffs = {.count = 2, .k = {2, 4}};
    Metrics m = metrics_compute(&cutoffs, ranks, 2, NULL, false);
    json_t *object = metrics_json(&m);
    char *text = json_dumps(object, 0);
    CHECK(!strcmp(text, "{\"users\": 2, \"HR@2\": 0.5, \"HR@4\": 1.0, \"NDCG@2\": 0.5, \"NDCG@4\": 0.75}"),
          "%s", text);
    free(text);
    json_decref(object);
    m = metrics_compute(&(Cutoffs){.count = 1, .k = {4294967295}}, ranks, 0, NULL, false);
    object = metrics_json(&m);
    text = json_dumps(object, 0);
    CHECK(!strcmp(text, "{\"users\": 0, \"HR@4294967295\": null, \"NDCG@4294967295\": null}"), "%s", text);
    free(text);
    json_decref(object);
}

static void cutoffs_are_parsed(void) {
    Cutoffs cutoffs;
    Error error = {""};
    CHECK(cutoffs_parse(&cutoffs, "20,5,4294967295", &error));
    CHECK(cutoffs.count == 3 && cutoffs.k[0] == 20 && cutoffs.k[1] == 5 && cutoffs.k[2] == UINT32_MAX);
    CHECK(cutoffs_parse(&cutoffs, "1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16", &error) && cutoffs.count == 16);
    static const char *const wrong[] = {"",
                                        "0",
                                        "5,",
                                        ",5",
                                        "5,,6",
                                        "5 6",
                                        "-5",
                                        "+5",
                                        "4294967296",
                                        "5,5",
                                        " 5",
                                        "x",
                                        "5.0",
                                        "5;6",
                                        "99999999999999999999999",
                                        "1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        error.message[0] = 0;
        CHECK(!cutoffs_parse(&cutoffs, wrong[i], &error) && *error.message, "\"%s\" was taken", wrong[i]);
    }
}

/* The metrics of the released code from its ranks. */
static double *golden_ranks(const char *run, const char *stage, const char *split, size_t users) {
    char *text = golden_run_file(run, "ranks.tsv"), *rest = text;
    double *ranks = memory_need(users, sizeof *ranks);
    size_t count = 0;
    for (char *line; (line = strsep(&rest, "\n")) && *line;) {
        if (strcmp(strsep(&line, "\t"), stage) || strcmp(strsep(&line, "\t"), split)) continue;
        for (char *rank; (rank = strsep(&line, " ")) && count < users;)
            ranks[count++] = strtod(rank, NULL);
    }
    CHECK(count == users);
    free(text);
    return ranks;
}

static void check_golden_metrics(const struct GoldenRun *run) {
    char *text = golden_run_file(run->name, "metrics.tsv"), *rest = text;
    size_t checked = 0;
    for (char *line; (line = strsep(&rest, "\n")) && *line; checked++) {
        const char *stage = strsep(&line, "\t"), *split = strsep(&line, "\t"), *metric = strsep(&line, "\t");
        double *ranks = golden_ranks(run->name, stage, split, run->users);
        Cutoffs cutoffs;
        Error error;
        CHECK(cutoffs_parse(&cutoffs, strchr(metric, '@') + 1, &error));
        const Metrics m = metrics_compute(&cutoffs, ranks, run->users, NULL, false);
        const double got = *metric == 'H' ? m.hr[0] : m.ndcg[0];
        CHECK(fabs(got - strtod(line, NULL)) < 1e-7, "%s %s %s: %.9g, not %s", run->name, stage, metric, got,
              line);
        free(ranks);
    }
    CHECK(checked == 24);
    free(text);
}

static void golden_metrics_come_from_golden_ranks(void) {
    for (size_t i = 0; i < GOLDEN_RUN_COUNT; i++)
        check_golden_metrics(&GOLDEN_RUNS[i]);
}

static void baselines_by_hand(void) {
    /* Training: a b c, a c, b. Counts a 2, b 2, c 2; d and e are met in no training row. */
    Behaviours b = behaviours_from_text("u\ta b c d e\nv\ta c b b\nw\tb a c\n", 8);
    Error error = {""};
    CoOccurrence pairs;
    CHECK(co_occurrence_build(&pairs, &b, SPLIT_TRAIN, &error));
    CHECK(pairs.offsets[b.item_count + 1] == 3); /* a→b, a→c, b→c */
    float scores[27];
    const uint32_t input[] = {2, 1};
    co_occurrence_score(&pairs, (Sequence){input, 2}, 26, scores);
    /* a, the last one: b 1/√2, c (1/2 + 1)/√2; b, one step older: c 0.8 · 1/√2. */
    const double root = sqrt(2);
    static const size_t zero[] = {0, 1, 4, 5, 26};
    for (size_t i = 0; i < 5; i++)
        CHECK(scores[zero[i]] == 0);
    CHECK(fabs(scores[2] - 1 / root) < 1e-6 && fabs(scores[3] - (1.5 + 0.8) / root) < 1e-6);
    co_occurrence_free(&pairs);
    double ranks[3];
    CHECK(baseline_ranks("co-occurrence", &b, SPLIT_VALID, b.item_count, ranks, &error));
    /* u: d of {d, e}, both 0; v: b after a c, of {b 0.8/√2, d 0, e 0}; w: a after b, of {c, a 0, d 0, e 0}.
     */
    CHECK(ranks[0] == 1.5 && ranks[1] == 1 && ranks[2] == 3, "%g %g %g", ranks[0], ranks[1], ranks[2]);
    CHECK(baseline_ranks("popularity", &b, SPLIT_VALID, b.item_count, ranks, &error));
    CHECK(ranks[0] == 1.5 && ranks[1] == 1 && ranks[2] == 1.5, "%g %g %g", ranks[0], ranks[1], ranks[2]);
    CHECK(baseline_ranks("popularity", &b, SPLIT_VALID, b.known_count, ranks, &error));
    CHECK(ranks[0] == 12 && ranks[1] == 1 && ranks[2] == 1.5, "%g %g %g", ranks[0], ranks[1], ranks[2]);
    CHECK(!baseline_ranks("chance", &b, SPLIT_VALID, b.item_count, ranks, &error));
    CHECK(strstr(error.message, "\"chance\""));
    behaviours_free(&b);
}

/* c[i][j] / √count of j by the definition, over a full matrix. */
static double *naive_co_occurrence(const Behaviours *b) {
    const size_t width = (size_t)b->item_count + 1;
    double *matrix = memory_need(width * width, sizeof *matrix);
    Error error;
    uint32_t *counts = split_item_counts(b, SPLIT_TRAIN, &error);
    for (size_t user = 0; user < b->user_count; user++) {
        const Sequence row = split_row(b, SPLIT_TRAIN, user);
        for (size_t i = 0; i < row.count; i++)
            for (size_t j = i + 1; j < row.count; j++)
                matrix[row.items[i] * width + row.items[j]] +=
                    1 / ((double)(j - i) * sqrt((double)counts[row.items[j]]));
    }
    free(counts);
    return matrix;
}

static void check_user_scores(const Behaviours *b, const CoOccurrence *pairs, const double *matrix,
                              size_t user) {
    const size_t width = (size_t)b->item_count + 1;
    const Sequence input = split_input(b, SPLIT_TEST, user);
    float *scores = memory_need((size_t)b->known_count + 1, sizeof *scores);
    co_occurrence_score(pairs, input, b->known_count, scores);
    for (size_t item = 1; item <= b->known_count; item++) {
        double want = 0;
        for (size_t age = 0; age < input.count && item <= b->item_count; age++)
            want += pow(0.8, (double)age) * matrix[input.items[input.count - 1 - age] * width + item];
        CHECK(fabs(scores[item] - want) < 1e-5, "user %zu item %zu: %g, not %g", user, item,
              (double)scores[item], want);
    }
    free(scores);
}

static void co_occurrence_agrees_with_a_full_matrix(void) {
    Random random;
    random_seed(&random, 5, 0);
    for (int round = 0; round < 20; round++) {
        Behaviours b = random_behaviours(&random, 40, 3 + (size_t)round * 2, 1 + (uint32_t)round);
        double *matrix = naive_co_occurrence(&b);
        size_t entries = 0;
        for (size_t i = 0; i < ((size_t)b.item_count + 1) * ((size_t)b.item_count + 1); i++)
            entries += matrix[i] > 0;
        CoOccurrence pairs;
        Error error;
        CHECK(co_occurrence_build(&pairs, &b, SPLIT_TRAIN, &error));
        CHECK(pairs.offsets[b.item_count + 1] == entries);
        for (size_t user = 0; user < b.user_count; user++)
            check_user_scores(&b, &pairs, matrix, user);
        co_occurrence_free(&pairs);
        free(matrix);
        behaviours_free(&b);
    }
}

static void baselines_do_not_depend_on_threads(void) {
    const int threads_before = parallel_threads();
    NameTable *items;
    Behaviours b = golden_behaviours(&GOLDEN_RUNS[0], &items);
    double *one = memory_need(b.user_count, sizeof *one), *four = memory_need(b.user_count, sizeof *four);
    static const char *const names[] = {"popularity", "co-occurrence"};
    Error error;
    for (size_t i = 0; i < 2; i++) {
        parallel_set_threads(1);
        CHECK(baseline_ranks(names[i], &b, SPLIT_TEST, b.item_count, one, &error));
        parallel_set_threads(4);
        CHECK(baseline_ranks(names[i], &b, SPLIT_TEST, b.item_count, four, &error));
        CHECK(!memcmp(one, four, b.user_count * sizeof *one));
    }
    parallel_set_threads(threads_before);
    free(one);
    free(four);
    behaviours_free(&b);
    name_table_destroy(items);
}

/* Sequences that follow a cycle: what was next before is next again. */
static void co_occurrence_learns_a_cycle(void) {
    char *text;
    size_t size;
    FILE *file = open_memstream(&text, &size);
    for (int user = 0; user < 26; user++) {
        fprintf(file, "u%d\t", user);
        for (int i = 0; i < 10; i++)
            fprintf(file, "%s%c", i ? " " : "", 'a' + (user + i) % 26);
        fputc('\n', file);
    }
    fclose(file);
    Behaviours b = behaviours_from_text(text, 7);
    double ranks[26];
    Error error;
    CHECK(baseline_ranks("co-occurrence", &b, SPLIT_TEST, b.item_count, ranks, &error));
    for (size_t user = 0; user < 26; user++)
        CHECK(ranks[user] == 1, "user %zu: %g", user, ranks[user]);
    CHECK(baseline_ranks("popularity", &b, SPLIT_TEST, b.item_count, ranks, &error));
    for (size_t user = 0; user < 26; user++)
        CHECK(ranks[user] == 9.5, "user %zu: %g", user, ranks[user]); /* 18 items that are not history */
    free(text);
    behaviours_free(&b);
}

RUN_TESTS(TEST(ranks_by_hand), TEST(a_target_in_the_history_is_masked),
          TEST(a_constant_model_ranks_as_chance), TEST(a_score_that_is_no_number_is_refused),
          TEST(ranks_agree_with_sorting), TEST(users_are_ranked_in_parallel_as_in_turn),
          TEST(metrics_by_hand), TEST(metrics_become_json), TEST(cutoffs_are_parsed),
          TEST(golden_metrics_come_from_golden_ranks), TEST(baselines_by_hand),
          TEST(co_occurrence_agrees_with_a_full_matrix), TEST(baselines_do_not_depend_on_threads),
          TEST(co_occurrence_learns_a_cycle))

/* What figures of users say about runs, and text in pages. */
#include "check.h"

#include "core/memory.h"
#include "core/parallel.h"
#include "report/html.h"
#include "report/statistics.h"

#define NEAR(got, want) (fabs((got) - (want)) <= 1e-12)

static void estimates_by_hand(void) {
    /* Sum of squares from the mean 0.4: 2 · 0.36 + 3 · 0.16 = 1.2; √(1.2 / 4 / 5). */
    const Estimate e = estimate((const double[]){1, 0, 0, 1, 0}, 5);
    CHECK(e.users == 5 && NEAR(e.mean, 0.4) && NEAR(e.standard_error, sqrt(0.06)));
    const Estimate none = estimate(NULL, 0);
    CHECK(none.users == 0);
    const Estimate equal = estimate((const double[]){0, 0, 0}, 3);
    CHECK(equal.mean == 0 && equal.standard_error == 0 && equal.low == 0 && equal.high == 0 && equal.p == 1);
}

/* Of 10 equal differences all signs must be drawn alike: 2 of 1024. */
static void p_is_that_of_all_signs(void) {
    double values[10];
    for (size_t i = 0; i < 10; i++)
        values[i] = 0.5;
    const Estimate ten = estimate(values, 10);
    CHECK(ten.p > 0.0004 && ten.p < 0.005 && ten.low == 0.5 && ten.high == 0.5, "%g", ten.p);
    /* Of 3: 2 of 8. Of 3 with one against them: |sum| is never below that. */
    CHECK(fabs(estimate(values, 3).p - 0.25) < 0.04);
    values[1] = -0.5;
    CHECK(estimate(values, 3).p == 1);
}

/* The mean of 400 values of deviation 0.5: its standard error is 0.025, so 95 % are within 0.049. */
static void intervals_are_as_wide_as_errors_say(void) {
    const int before = parallel_threads();
    double values[400];
    for (size_t i = 0; i < 400; i++)
        values[i] = i % 2 ? 1 : 0;
    parallel_set_threads(1);
    const Estimate one = estimate(values, 400);
    parallel_set_threads(3);
    const Estimate three = estimate(values, 400);
    parallel_set_threads(before);
    CHECK(fabs(one.low - 0.451) < 0.006 && fabs(one.high - 0.549) < 0.006, "%g … %g", one.low, one.high);
    CHECK(one.low == three.low && one.high == three.high && one.p == three.p);
}

static Run run_of(const char *users, const double *ranks) {
    Run run = {.users = name_table_create(), .ranks = memory_need(strlen(users), sizeof(double))};
    for (size_t i = 0; users[i]; i++) {
        name_table_add(run.users, users + i, 1, NULL);
        run.ranks[i] = ranks[i];
    }
    return run;
}

static void differences_are_paired_by_name(void) {
    /* abc hit, hit, miss; the other knows c b d: hit, miss, hit. Both know b and c: 1 − 0 and 0 − 1, that is
     * 0. */
    Run one = run_of("abc", (const double[]){1, 10, 10.5}), other = run_of("cbd", (const double[]){3, 11, 1});
    const RunGroup group = {.runs = &one, .count = 1}, reference = {.runs = &other, .count = 1};
    Estimate d = estimate_difference(&group, &reference);
    CHECK(d.users == 2 && d.mean == 0 && NEAR(d.standard_error, 1));
    CHECK(NEAR(estimate_group(&group).mean, 2. / 3));
    /* Of two seeds the mean counts: a 1, b ½, c ½; less a run that hits nobody. */
    Run seeds[] = {one, run_of("cba", (const double[]){1, 20, 2})};
    Run missing = run_of("abc", (const double[]){11, 11, 11});
    const RunGroup both = {.runs = seeds, .count = 2}, nobody = {.runs = &missing, .count = 1};
    d = estimate_difference(&both, &nobody);
    CHECK(d.users == 3 && NEAR(d.mean, 2. / 3));
    const RunGroup unranked = {.runs = &(Run){0}, .count = 1};
    CHECK(estimate_difference(&group, &unranked).users == 0 && estimate_group(&unranked).users == 0);
    Run *runs[] = {&one, &other, &seeds[1], &missing};
    for (size_t i = 0; i < 4; i++) {
        name_table_destroy(runs[i]->users);
        free(runs[i]->ranks);
    }
}

static void pages_hold_text_as_text(void) {
    char *text;
    size_t size;
    FILE *page = open_memstream(&text, &size);
    html_put_text(page, "<b title='x\"'>&amp;\xff\xc3\xa9");
    fclose(page);
    CHECK(!strcmp(text, "&lt;b title=&#39;x&quot;&#39;&gt;&amp;amp;\xef\xbf\xbd\xc3\xa9"), "%s", text);
    free(text);
    static const char *const want[] = {"", "TQ==", "TWE=", "TWFu", "TWFu/w=="};
    static const unsigned char bytes[] = {'M', 'a', 'n', 0xff};
    for (size_t i = 0; i < 5; i++) {
        page = open_memstream(&text, &size);
        html_put_base64(page, bytes, i);
        fclose(page);
        CHECK(!strcmp(text, want[i]), "%s, not %s", text, want[i]);
        free(text);
    }
}

RUN_TESTS(TEST(estimates_by_hand), TEST(p_is_that_of_all_signs), TEST(intervals_are_as_wide_as_errors_say),
          TEST(differences_are_paired_by_name), TEST(pages_hold_text_as_text))

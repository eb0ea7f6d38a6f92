#include "check.h"
#include "model/settings.h"
#include "train/schedule.h"

static void check_factors(const char *name, int64_t gap, const double want[6]) {
    for (int64_t epoch = 0; epoch < 6; epoch++) {
        const double got = schedule_factor(name, epoch, 5, gap);
        CHECK(fabs(got - want[epoch]) < 1e-6, "%s, epoch %d: %g instead of %g", name, (int)epoch, got,
              want[epoch]);
    }
}

static void test_constant(void) {
    check_factors("constant", 1, (const double[]){1, 1, 1, 1, 1, 1});
}

static void test_step(void) {
    check_factors("step", 1, (const double[]){1, 0.1, 0.01, 0.001, 1e-4, 1e-5});
    check_factors("step", 2, (const double[]){1, 1, 0.1, 0.1, 0.01, 0.01});
    check_factors("step", 9, (const double[]){1, 1, 1, 1, 1, 1});
}

static void test_cosine(void) {
    check_factors("cosine", 1, (const double[]){1, 0.904508497, 0.654508497, 0.345491503, 0.1, 0.1});
}

static void test_linear(void) {
    check_factors("linear", 1, (const double[]){1, 0.8, 0.6, 0.4, 0.2, 0});
}

/* Every choice of the setting is known. */
static void test_choices(void) {
    static Settings settings;
    const Option options[] = {SETTINGS_OPTIONS(settings)};
    size_t known = 0;
    for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
        if (strcmp(options[i].name, "schedule")) continue;
        char *choices = strdup(options[i].choices), *rest = choices, *name;
        while ((name = strsep(&rest, "|")))
            known += schedule_factor(name, 0, 1, 1) == 1;
        free(choices);
    }
    CHECK(known == 4, "%zu choices start at 1", known);
}

RUN_TESTS(TEST(test_constant), TEST(test_step), TEST(test_cosine), TEST(test_linear), TEST(test_choices))

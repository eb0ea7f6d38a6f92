#include "check.h"
#include "model/settings.h"
#include "train/schedule.h"

static void check_factors(Schedule schedule, int64_t gap, const double want[6]) {
    for (int64_t epoch = 0; epoch < 6; epoch++) {
        const double got = schedule_factor(schedule, epoch, 5, gap);
        CHECK(fabs(got - want[epoch]) < 1e-6, "schedule %d, epoch %d: %g instead of %g", (int)schedule,
              (int)epoch, got, want[epoch]);
    }
}

static void test_constant(void) {
    check_factors(SCHEDULE_CONSTANT, 1, (const double[]){1, 1, 1, 1, 1, 1});
}

static void test_step(void) {
    check_factors(SCHEDULE_STEP, 1, (const double[]){1, 0.1, 0.01, 0.001, 1e-4, 1e-5});
    check_factors(SCHEDULE_STEP, 2, (const double[]){1, 1, 0.1, 0.1, 0.01, 0.01});
    check_factors(SCHEDULE_STEP, 9, (const double[]){1, 1, 1, 1, 1, 1});
}

static void test_cosine(void) {
    check_factors(SCHEDULE_COSINE, 1, (const double[]){1, 0.904508497, 0.654508497, 0.345491503, 0.1, 0.1});
}

static void test_linear(void) {
    check_factors(SCHEDULE_LINEAR, 1, (const double[]){1, 0.8, 0.6, 0.4, 0.2, 0});
}

static void test_warmup(void) {
    CHECK(warmup_factor(0, 0, 10) == 1);
    CHECK(warmup_factor(4, 0, 10) == 0.25 && warmup_factor(4, 2, 10) == 0.75);
    CHECK(warmup_factor(4, 3, 10) == 1 && warmup_factor(4, 9, 10) == 1);
    CHECK(warmup_factor(0.5, 0, 8) == 0.25 && warmup_factor(0.5, 3, 8) == 1);
    CHECK(warmup_factor(0.01, 0, 8) == 1); /* less than one step */
}

/* Every choice of the setting is a schedule, under its name. */
static void test_choices(void) {
    static const Schedule wanted[] = {SCHEDULE_CONSTANT, SCHEDULE_STEP, SCHEDULE_COSINE, SCHEDULE_LINEAR};
    static const char *const names[] = {"constant", "step", "cosine", "linear"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        Settings settings;
        Error error = {""};
        json_t *config = json_pack("{s:s}", "schedule", names[i]);
        CHECK(settings_read(&settings, config, &error) && settings.schedule == wanted[i], "%s",
              error.message);
        json_t *record = settings_record(&settings);
        CHECK(!strcmp(json_string_value(json_object_get(record, "schedule")), names[i]));
        json_decref(record);
        json_decref(config);
    }
}

/* A tower by its name in options, headers and messages. */
static void test_towers(void) {
    for (Tower tower = TOWER_MODAL; tower <= TOWER_VECTORS; tower++) {
        Settings settings;
        Error error = {""};
        json_t *config = json_pack("{s:s}", "tower", tower_name(tower));
        CHECK(settings_read(&settings, config, &error) && settings.tower == tower, "%s", error.message);
        json_decref(config);
    }
    Settings settings;
    Error error;
    json_t *config = json_pack("{s:s}", "tower", "mod");
    CHECK(!settings_read(&settings, config, &error) && strstr(error.message, "not 'mod'"));
    json_decref(config);
}

RUN_TESTS(TEST(test_constant), TEST(test_step), TEST(test_cosine), TEST(test_linear), TEST(test_warmup),
          TEST(test_choices), TEST(test_towers))

#include "check.h"

#include "stream/hidden_states.h"

enum { WIDTH = 6 };

/* The record, and what its i8 stands for, of rows that are given. */
typedef struct Rounded {
    Record record;
    unsigned char room[4 * (4 + WIDTH)];
    float back[4 * WIDTH];
} Rounded;

static bool round_rows(Rounded *rounded, const float *values, size_t rows, Error *error) {
    HiddenStates states;
    *rounded = (Rounded){.record = {.key = "v1", .key_size = 2}};
    if (!hidden_states_fill(&rounded->record, DTYPE_I8, values, rows, WIDTH, rounded->room, error) ||
        !hidden_states_of(&rounded->record, &states, error))
        return false;
    hidden_states_to_f32(&states, rounded->back);
    return true;
}

static void a_row_is_rounded_to_127_steps(void) {
    static const float values[][WIDTH] = {{127, -127, 0.5f, 1.5f, -2.5f, 126.4f}, /* ties to even */
                                          {0, -0.0f, 0, 0, 0, 0},
                                          {-254, 1, 3, 5, -0.9f, 254}};
    static const int8_t want[][WIDTH] = {
        {127, -127, 0, 2, -2, 126}, {0, 0, 0, 0, 0, 0}, {-127, 0, 2, 2, 0, 127}};
    static const float scales[] = {1, 0, 2};
    Rounded rounded;
    Error error = {""};
    CHECK(round_rows(&rounded, values[0], 3, &error), "%s", error.message);
    const Record *record = &rounded.record;
    CHECK(record->count == 2 && record->tensors[0].dtype == DTYPE_I8);
    CHECK(record->tensors[0].shape[0] == 3 && record->tensors[0].shape[1] == WIDTH);
    CHECK(!memcmp(record->tensors[0].data, want, sizeof want));
    CHECK(!memcmp(record->tensors[1].data, scales, sizeof scales));
    for (size_t i = 0; i < 3 * WIDTH; i++)
        CHECK(rounded.back[i] == (float)((const int8_t *)want)[i] * scales[i / WIDTH], "value %zu", i);
}

/* Half a step is the most that a value is off; the magnitudes reach from the smallest to the largest. */
static void no_value_moves_by_more_than_half_a_step(void) {
    for (int exponent = -118; exponent <= 126; exponent++) {
        float values[WIDTH], largest = 0;
        Rounded rounded;
        Error error = {""};
        for (int i = 0; i < WIDTH; i++) {
            values[i] = ldexpf(sinf((float)(7 * exponent + i)), exponent);
            largest = fmaxf(largest, fabsf(values[i]));
        }
        CHECK(round_rows(&rounded, values, 1, &error), "%s", error.message);
        for (int i = 0; i < WIDTH; i++)
            CHECK(fabs((double)(rounded.back[i] - values[i])) <= (double)largest / 254 * 1.0001,
                  "2^%d: %g became %g", exponent, (double)values[i], (double)rounded.back[i]);
    }
}

static void the_smallest_and_the_largest_rows(void) {
    const float smallest = 0x1p-149f;
    const float values[][WIDTH] = {{smallest, -smallest}, {190 * smallest, -190 * smallest, smallest}};
    const float large[WIDTH] = {127 * 0x1p120f, -1}, larger[WIDTH] = {1, -127.1f * 0x1p120f};
    Rounded rounded;
    Error error = {""};
    CHECK(round_rows(&rounded, values[0], 2, &error), "%s", error.message);
    CHECK(rounded.back[0] == 0 && rounded.back[WIDTH] == 127 * smallest &&
          rounded.back[WIDTH + 2] == smallest);
    CHECK(round_rows(&rounded, large, 1, &error), "%s", error.message);
    CHECK(rounded.back[0] == large[0] && rounded.back[1] == 0);
    CHECK(!round_rows(&rounded, larger, 1, &error) && strstr(error.message, "too large for i8"), "%s",
          error.message);
}

static void no_rows(void) {
    Rounded rounded;
    Error error = {""};
    CHECK(round_rows(&rounded, NULL, 0, &error), "%s", error.message);
    CHECK(rounded.record.tensors[0].shape[0] == 0 && rounded.record.tensors[1].shape[0] == 0);
}

static void check_refused(RecordTensor values, RecordTensor scales, const char *part) {
    const Record record = {.key = "v1", .key_size = 2, .count = 2, .tensors = {values, scales}};
    HiddenStates states;
    Error error = {""};
    CHECK(!hidden_states_of(&record, &states, &error) && strstr(error.message, "('v1')") &&
              strstr(error.message, part),
          "%s", error.message);
}

static void what_does_not_fit_is_refused(void) {
    static const int8_t values[4];
    static const float scales[][2] = {{1, NAN}, {1, INFINITY}, {-1, 1}, {0x1.1p120f, 1}, {1, 1}};
    const RecordTensor two = record_tensor("hidden", DTYPE_I8, values, 2, UINT64_C(2), UINT64_C(2));
    for (size_t i = 0; i < 4; i++)
        check_refused(two, record_tensor("scale", DTYPE_F32, scales[i], 1, UINT64_C(2)), "from 0 to 2^120");
    check_refused(two, record_tensor("scale", DTYPE_F32, scales[4], 1, UINT64_C(1)),
                  "1 values for 2 rows of 'hidden'");
    check_refused(two, record_tensor("scale", DTYPE_F32, scales[4], 2, UINT64_C(2), UINT64_C(1)),
                  "expected a f32 tensor of 1 dimension");
    check_refused(two, record_tensor("scales", DTYPE_F32, scales[4], 1, UINT64_C(2)), "no tensor 'scale'");
    check_refused(record_tensor("hidden", DTYPE_I8, values, 1, UINT64_C(2)),
                  record_tensor("scale", DTYPE_F32, scales[4], 1, UINT64_C(2)),
                  "i8 [2]; expected a float tensor of 2");
}

RUN_TESTS(TEST(a_row_is_rounded_to_127_steps), TEST(no_value_moves_by_more_than_half_a_step),
          TEST(the_smallest_and_the_largest_rows), TEST(no_rows), TEST(what_does_not_fit_is_refused))

/* What goes to a card and comes back, where the host waits for nothing in between: on any machine on the
 * emulated card, whose streams do everything as late as they may; with PM_TEST_DEVICE=cuda, on a card. */
#include "check.h"

#include "core/memory.h"
#include "nn/backend/backend.h"

static const Backend *card;

enum { COUNT = 100000, ROUNDS = 40 };

static float value_of(size_t round, size_t part, size_t i) {
    return (float)((round * 31 + part * 7 + i) % 101);
}

static float *take_zeros(void) {
    float *values = card->memory->take(COUNT * sizeof *values);
    card->memory->fill(COUNT, 0, values);
    return values;
}

static void check_values(const float *on_card, const float *want) {
    static float got[COUNT];
    size_t wrong = 0;
    card->memory->download(sizeof got, on_card, got);
    for (size_t i = 0; i < COUNT; i++)
        wrong += got[i] != want[i];
    CHECK(!wrong, "%zu values", wrong);
}

/* A round stages one to four parts, so that at first there is too little room. */
static void staged_values_are_read_before_others_take_their_place(void) {
    static float values[COUNT], want[COUNT];
    Staging *staging = card->staging->create();
    float *sums = take_zeros();
    for (size_t round = 0; round < ROUNDS; round++) {
        card->staging->restart(staging);
        for (size_t part = 0; part <= round % 4; part++) {
            for (size_t i = 0; i < COUNT; i++)
                want[i] += values[i] = value_of(round, part, i);
            card->elements->add(COUNT, card->staging->add(staging, sizeof values, values), sums);
        }
    }
    card->staging->destroy(staging);
    check_values(sums, want);
    card->memory->release(sums, sizeof want);
}

static void uploads_do_not_overtake_each_other(void) {
    static float values[COUNT], want[COUNT];
    float *sums = take_zeros(), *place = take_zeros();
    for (size_t round = 0; round < ROUNDS; round++) {
        for (size_t i = 0; i < COUNT; i++)
            want[i] += values[i] = value_of(round, 0, i);
        card->memory->upload(sizeof values, values, place);
        card->elements->add(COUNT, place, sums);
    }
    check_values(sums, want);
    card->memory->release(sums, sizeof want);
    card->memory->release(place, sizeof want);
}

static void released_memory_is_still_read_by_what_was_called_before(void) {
    static float want[COUNT];
    float *sums = take_zeros();
    for (size_t round = 1; round <= ROUNDS; round++) {
        float *values = card->memory->take(sizeof want);
        card->memory->fill(COUNT, (float)round, values);
        card->elements->add(COUNT, values, sums);
        card->memory->release(values, sizeof want);
    }
    for (size_t i = 0; i < COUNT; i++)
        want[i] = ROUNDS * (ROUNDS + 1) / 2;
    check_values(sums, want);
    card->memory->release(sums, sizeof want);
}

static void letters_say_what_was_there_when_they_were_posted(void) {
    float *values = take_zeros(), got[ROUNDS];
    for (size_t round = 0; round < ROUNDS; round++) {
        card->memory->fill(COUNT, (float)round, values);
        card->memory->post(sizeof *got, values + round, &got[round]);
    }
    card->memory->fill(COUNT, -1, values);
    card->memory->collect();
    for (size_t round = 0; round < ROUNDS; round++)
        CHECK(got[round] == (float)round, "%zu: %g", round, (double)got[round]);
    card->memory->release(values, COUNT * sizeof *values);
}

int main(void) {
    const char *device = getenv("PM_TEST_DEVICE");
    const Test tests[] = {TEST(staged_values_are_read_before_others_take_their_place),
                          TEST(uploads_do_not_overtake_each_other),
                          TEST(released_memory_is_still_read_by_what_was_called_before),
                          TEST(letters_say_what_was_there_when_they_were_posted)};
    Error error;
    setenv("PM_STREAM_SEED", "1", 0);
    card = backend_find(device ? device : "cuda-on-host", "f32", &error);
    if (card) return run_tests(tests, (int)(sizeof tests / sizeof *tests));
    printf("1..1\nnot ok 1 - %s\n", error.message);
    return 1;
}

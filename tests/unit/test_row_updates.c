/* Updates by rows against updates of the whole table. */
#include "check.h"
#include "core/memory.h"
#include "nn/operators/operators.h"
#include "nn/optimizer.h"

enum { ROWS = 40, WIDTH = 12, MOST = 8 };

typedef struct Training {
    ParameterSet *set;
    Parameter *table;
    Optimizer optimizer;
    Tape *tape;
    Random random; /* draws rows; the same in two trainings */
} Training;

static Training start(bool by_rows) {
    Training t = {.set = parameter_set_create(), .tape = tape_create(&backend_cpu, true)};
    t.table = parameter_add(t.set, GROUP_REST, INITIAL_NORMAL, ROWS, WIDTH, "table");
    parameter_set_initialise(t.set, 5);
    parameter_set_make_trainable(t.set);
    if (by_rows) parameter_update_by_rows(t.table);
    optimizer_create(&t.optimizer, t.set);
    random_seed(&t.random, 3, 0);
    return t;
}

static void end(Training *t) {
    optimizer_free(&t->optimizer);
    tape_destroy(t->tape);
    parameter_set_destroy(t->set);
}

/* A step whose gradients do not depend on the values, of rows below `bound`. */
static void step(Training *t, size_t bound, double clip) {
    const GroupRate rates[GROUP_COUNT] = {{0, 0}, {0, 0}, {1e-2, 0.5}};
    uint32_t rows[ROWS];
    const size_t count = bound == ROWS ? ROWS : MOST;
    tape_reset(t->tape, 1);
    for (size_t i = 0; i < count; i++)
        rows[i] = bound == ROWS ? (uint32_t)i : (uint32_t)random_below(&t->random, bound);
    Tensor *y = embedding_sum(t->tape, NULL, &(EmbeddingRows){t->table, rows, 0, 0}, 1, count);
    float *dy = tape_gradient(t->tape, y);
    for (size_t i = 0; i < count * WIDTH; i++)
        dy[i] = (float)random_normal(&t->random);
    t->tape->nodes[0].backward(t->tape, t->tape->nodes[0].context);
    optimizer_step(&t->optimizer, t->set, rates, 1, clip);
    parameter_set_clear_gradients(t->set);
}

static double difference(const float *a, const float *b, size_t first, size_t count) {
    return relative_difference(a + first * WIDTH, b + first * WIDTH, count * WIDTH);
}

/* Rows drawn at random, some of them for a long time not: moments as they are in steps of the whole, and
 * values near to those beside how far they went. */
static void rows_catch_up(void) {
    Training whole = start(false), rows = start(true), none = start(false);
    for (int i = 0; i < 300; i++)
        for (int t = 0; t < 2; t++)
            step(t ? &rows : &whole, i / 50 % 2 ? ROWS / 2 : ROWS - 1, 0.9);
    CHECK(difference(rows.table->value, whole.table->value, 0, ROWS) > 1e-3, "nothing was owed");
    optimizer_settle(&rows.optimizer, rows.set);
    double furthest = 0, worst = 0;
    for (size_t i = 0; i < ROWS * WIDTH; i++) {
        const double went = (double)whole.table->value[i] - (double)none.table->value[i];
        furthest = fmax(furthest, fabs(went));
        worst = fmax(worst, fabs((double)rows.table->value[i] - (double)whole.table->value[i]));
    }
    CHECK(worst < 0.06 * furthest, "%g of %g", worst, furthest);
    CHECK(difference(rows.table->first_moment, whole.table->first_moment, 0, ROWS) < 1e-5);
    CHECK(difference(rows.table->second_moment, whole.table->second_moment, 0, ROWS) < 1e-5);
    end(&whole), end(&rows), end(&none);
}

/* The padding's row, and the one that is never drawn, only decay; nothing is left in the gradients. */
static void rows_without_gradient_decay(void) {
    Training rows = start(true), none = start(false);
    for (int i = 0; i < 20; i++)
        step(&rows, ROWS - 1, 0);
    optimizer_settle(&rows.optimizer, rows.set);
    for (size_t j = 0; j < WIDTH; j++) {
        const size_t last = (ROWS - 1) * WIDTH + j;
        const double kept = pow(1 - 1e-2 * 0.5, 20);
        CHECK(fabs((double)rows.table->value[j] / (double)none.table->value[j] - kept) < 1e-5);
        CHECK(fabs((double)rows.table->value[last] / (double)none.table->value[last] - kept) < 1e-5);
    }
    for (size_t i = 0; i < ROWS * WIDTH; i++)
        CHECK(rows.table->gradient[i] == 0);
    end(&rows), end(&none);
}

/* Where all rows have a gradient there is no difference. */
static void all_rows_are_the_whole(void) {
    Training whole = start(false), rows = start(true);
    for (int i = 0; i < 5; i++)
        for (int t = 0; t < 2; t++)
            step(t ? &rows : &whole, ROWS, 0);
    optimizer_settle(&rows.optimizer, rows.set);
    const size_t bytes = (ROWS - 1) * WIDTH * sizeof(float); /* the padding's row has none */
    CHECK(!memcmp(rows.table->value + WIDTH, whole.table->value + WIDTH, bytes));
    end(&whole), end(&rows);
}

/* Where rows are only followed, all of them are moved, and what was cleared is zero. */
static void followed_rows_are_the_whole(void) {
    Training whole = start(false), rows = start(false);
    parameter_follow_rows(rows.table);
    for (int i = 0; i < 20; i++)
        for (int t = 0; t < 2; t++)
            step(t ? &rows : &whole, ROWS - 1, 0);
    CHECK(rows.table->touched_rows->capacity >= MOST);
    CHECK(!memcmp(rows.table->value, whole.table->value, ROWS * WIDTH * sizeof(float)));
    for (size_t i = 0; i < ROWS * WIDTH; i++)
        CHECK(rows.table->gradient[i] == 0);
    end(&whole), end(&rows);
}

/* What is restored goes on as what was left. */
static void restored_rows_go_on(void) {
    Training one = start(true), two = start(true);
    int32_t owed[ROWS];
    for (int i = 0; i < 30; i++)
        for (int t = 0; t < 2; t++)
            step(t ? &two : &one, ROWS / 2, 0);
    RowUpdates *updates = two.table->row_updates;
    for (size_t i = 0; i < ROWS; i++)
        owed[i] = (int32_t)(updates->moves - updates->known[i]);
    const AdamW last = updates->last;
    updates->moves = 7;
    memset(updates->known, 0, ROWS * sizeof *updates->known);
    CHECK(row_updates_restore(updates, owed, &last));
    for (int t = 0; t < 2; t++) {
        step(t ? &two : &one, ROWS - 1, 0);
        optimizer_settle(t ? &two.optimizer : &one.optimizer, t ? two.set : one.set);
    }
    CHECK(!memcmp(one.table->value, two.table->value, ROWS * WIDTH * sizeof(float)));
    owed[3] = -1;
    CHECK(!row_updates_restore(updates, owed, &last));
    end(&one), end(&two);
}

RUN_TESTS(TEST(rows_catch_up), TEST(rows_without_gradient_decay), TEST(all_rows_are_the_whole),
          TEST(followed_rows_are_the_whole), TEST(restored_rows_go_on))

/* Products in bf16 against f32, and the parts of a joined parameter. */
#include "check.h"
#include "core/dtype.h"
#include "core/memory.h"
#include "core/random.h"
#include "nn/operators/operators.h"
#include "nn/optimizer.h"
#include "nn/rounding.h"

static float *random_values(size_t count, uint64_t seed) {
    float *values = memory_need(count, sizeof *values);
    Random random;
    random_seed(&random, seed, 0);
    for (size_t i = 0; i < count; i++)
        values[i] = (float)random_normal(&random);
    return values;
}

static void rounds_to_nearest(void) {
    float *values = random_values(1003, 1);
    uint16_t got[1003], want[1003];
    values[0] = INFINITY, values[1] = -0.0f, values[2] = 1.00390625f, values[3] = 1.01171875f; /* ties */
    round_row(1003, values, got);
    dtype_from_f32(DTYPE_BF16, values, want, 1003);
    for (size_t i = 0; i < 1003; i++)
        CHECK(got[i] == want[i]);
    values[0] = NAN;
    round_row(1003, values, got);
    dtype_to_f32(DTYPE_BF16, got, values, 1);
    CHECK(isnan(values[0]));
    free(values);
}

/* Against the product of the rounded operands in double: all that is left is the order of sums in f32. */
static void check_product(const Backend *backend, size_t m, size_t n, size_t k, bool a_turned, bool b_turned,
                          float beta) {
    float *a = random_values(m * k, 2), *b = random_values(n * k, 3), *c = random_values(m * n, 4);
    float *want = memory_need(m * n, sizeof *want);
    uint16_t *rounded_a = memory_need(m * k, 2), *rounded_b = memory_need(n * k, 2);
    round_all(m * k, a, rounded_a);
    round_all(n * k, b, rounded_b);
    dtype_to_f32(DTYPE_BF16, rounded_a, a, m * k);
    dtype_to_f32(DTYPE_BF16, rounded_b, b, n * k);
    for (size_t i = 0; i < m; i++)
        for (size_t j = 0; j < n; j++) {
            double sum = beta == 0 ? 0 : (double)c[i * n + j];
            for (size_t p = 0; p < k; p++)
                sum +=
                    (double)a[a_turned ? p * m + i : i * k + p] * (double)b[b_turned ? j * k + p : p * n + j];
            want[i * n + j] = (float)sum;
        }
    backend->matmul(m, n, k, (Matrix){a, a_turned ? m : k, a_turned, rounded_a},
                    (Matrix){b, b_turned ? k : n, b_turned, rounded_b}, beta, c, n);
    CHECK(relative_difference(c, want, m * n) < 2e-6);
    free(a), free(b), free(c), free(want), free(rounded_a), free(rounded_b);
}

static void multiplies_bf16(void) {
    Error error;
    const Backend *backend = backend_find("cpu", "bf16", &error);
    CHECK(!backend == !backend_has_bf16());
    if (!backend) {
        CHECK(strstr(error.message, "use f32"));
        return;
    }
    CHECK(backend->rounds);
    static const size_t sizes[][3] = {{1, 1, 1}, {3, 5, 7}, {33, 17, 65}, {128, 64, 96}, {5, 200, 300}};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        for (int turned = 0; turned < 8; turned++)
            check_product(backend, sizes[i][0], sizes[i][1], sizes[i][2], turned & 1, turned & 2,
                          turned & 4 ? 1.0f : 0.0f);
}

typedef struct Layer {
    ParameterSet *set;
    LinearPair pair;
    Parameter *classes;
} Layer;

static Layer create_layer(size_t width) {
    Layer layer = {.set = parameter_set_create()};
    layer.pair =
        (LinearPair){parameter_add(layer.set, GROUP_REST, INITIAL_XAVIER_NORMAL, 4 * width, width, "w1"),
                     parameter_add(layer.set, GROUP_REST, INITIAL_NORMAL, 4 * width, 0, "b1"),
                     parameter_add(layer.set, GROUP_REST, INITIAL_XAVIER_NORMAL, width, 4 * width, "w2"),
                     parameter_add(layer.set, GROUP_REST, INITIAL_NORMAL, width, 0, "b2"), ACTIVATION_GELU};
    layer.classes = parameter_add(layer.set, GROUP_REST, INITIAL_XAVIER_NORMAL, 3, width, "classes");
    parameter_set_initialise(layer.set, 5);
    parameter_set_make_trainable(layer.set);
    return layer;
}

/* The loss of a few steps on a small problem. */
static double train(const Backend *backend, double *first) {
    enum { ROWS = 700, WIDTH = 32, STEPS = 20 };
    Layer layer = create_layer(WIDTH);
    float *x = random_values(ROWS * WIDTH, 6);
    uint32_t classes[ROWS];
    double loss = 0;
    Optimizer optimizer;
    const GroupRate rates[GROUP_COUNT] = {{0, 0}, {0, 0}, {1e-2, 0}};
    for (size_t i = 0; i < ROWS; i++)
        classes[i] = x[i * WIDTH] > 0.3f ? 0 : x[i * WIDTH + 1] > 0 ? 1 : 2;
    optimizer_create(&optimizer, layer.set);
    Tape *tape = tape_create(backend, true);
    for (uint64_t step = 0; step < STEPS; step++) {
        tape_reset(tape, step);
        Tensor *y = feed_forward(tape, tape_leaf(tape, x, ROWS, WIDTH, false), &layer.pair);
        Tensor *result =
            softmax_cross_entropy(tape, linear(tape, y, layer.classes, NULL, ACTIVATION_NONE), classes);
        loss = (double)*result->value;
        if (!step) *first = loss;
        tape_backward(tape, result);
        optimizer_step(&optimizer, layer.set, rates, 1);
        parameter_set_clear_gradients(layer.set);
    }
    tape_destroy(tape);
    optimizer_free(&optimizer);
    parameter_set_destroy(layer.set);
    free(x);
    return loss;
}

static void trains_alike_in_bf16(void) {
    Error error;
    double first, first_bf16;
    const double loss = train(&backend_cpu, &first);
    CHECK(loss < 0.5 * first);
    if (!backend_has_bf16()) return;
    const double loss_bf16 = train(backend_find("cpu", "bf16", &error), &first_bf16);
    CHECK(fabs(first_bf16 - first) < 5e-3 * first);
    CHECK(fabs(loss_bf16 - loss) < 2e-2 * first);
    CHECK(loss_bf16 != loss); /* it was bf16 that ran */
}

static void joins_parameters(void) {
    ParameterSet *set = parameter_set_create();
    Parameter *parts[] = {parameter_add(set, GROUP_REST, INITIAL_NORMAL, 2, 3, "a"),
                          parameter_add(set, GROUP_REST, INITIAL_NORMAL, 4, 3, "b")};
    Parameter *whole = parameter_join(set, parts, 2);
    CHECK(whole->rows == 6 && whole->columns == 3 && set->count == 2);
    parameter_set_initialise(set, 1);
    CHECK(whole->value == parts[0]->value && whole->value + 6 == parts[1]->value);
    const uint16_t before = parameter_rounded(whole)[6];
    parts[1]->value[0] = 7;
    CHECK(parameter_rounded(whole)[6] == before);
    parameter_changed(parts[1]);
    CHECK(parameter_rounded(whole)[6] != before);
    parameter_set_make_trainable(set);
    CHECK(whole->trainable && whole->gradient + 6 == parts[1]->gradient);
    whole->gradient[7] = 1;
    parameter_touch(whole);
    CHECK(parts[0]->touched && parts[1]->touched);
    parameter_set_clear_gradients(set);
    CHECK(whole->gradient[7] == 0.0f && !parts[1]->touched);
    parameter_set_destroy(set);
}

RUN_TESTS(TEST(rounds_to_nearest), TEST(multiplies_bf16), TEST(trains_alike_in_bf16), TEST(joins_parameters))

/* Products in f32 and bf16, plain and packed, and the parts of a joined parameter. */
#include "check.h"
#include "core/dtype.h"
#include "core/memory.h"
#include "core/parallel.h"
#include "core/random.h"
#include "nn/backend/cpu/bf16_matmul.h"
#include "nn/backend/cpu/kernels.h"
#include "nn/backend/cpu/onednn.h"
#include "nn/backend/cpu/rounding.h"
#include "nn/operators/operators.h"
#include "nn/optimizer.h"

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

/* a [m, k] and b [k, n] as they lie in memory, as the backend sees them, and their product c. */
typedef struct Product {
    size_t m, n, k;
    bool a_turned, b_turned;
    float beta;
    float *a, *b, *c, *want;
    uint16_t *rounded_a, *rounded_b;
} Product;

static Product create_product(size_t m, size_t n, size_t k, int variant) {
    Product p = {.m = m, .n = n, .k = k, .a_turned = variant & 1, .b_turned = variant & 2};
    p.beta = variant & 4 ? 1.0f : 0.0f;
    p.a = random_values(m * k, 2), p.b = random_values(n * k, 3), p.c = random_values(m * n, 4);
    p.want = memory_need(m * n, sizeof *p.want);
    p.rounded_a = memory_need(m * k, 2), p.rounded_b = memory_need(n * k, 2);
    return p;
}

static void free_product(Product *p) {
    free(p->a), free(p->b), free(p->c), free(p->want), free(p->rounded_a), free(p->rounded_b);
}

/* Leaves only what bf16 has of the operands, so that all that may differ is the order of sums in f32. */
static void round_product(Product *p) {
    round_all(p->m * p->k, p->a, p->rounded_a);
    round_all(p->n * p->k, p->b, p->rounded_b);
    dtype_to_f32(DTYPE_BF16, p->rounded_a, p->a, p->m * p->k);
    dtype_to_f32(DTYPE_BF16, p->rounded_b, p->b, p->n * p->k);
}

/* Against the product in double. */
static void check_product(Product *p, const Backend *backend, Packing *packing) {
    const size_t m = p->m, n = p->n, k = p->k;
    for (size_t i = 0; i < m; i++)
        for (size_t j = 0; j < n; j++) {
            double sum = p->beta == 0 ? 0 : (double)p->c[i * n + j];
            for (size_t q = 0; q < k; q++)
                sum += (double)p->a[p->a_turned ? q * m + i : i * k + q] *
                       (double)p->b[p->b_turned ? j * k + q : q * n + j];
            p->want[i * n + j] = (float)sum;
        }
    backend->matmul(m, n, k, (Matrix){p->a, p->a_turned ? m : k, p->a_turned, p->rounded_a, NULL},
                    (Matrix){p->b, p->b_turned ? k : n, p->b_turned, packing ? NULL : p->rounded_b, packing},
                    p->beta, p->c, n);
    CHECK(relative_difference(p->c, p->want, m * n) < 2e-6, "%zu x %zu x %zu%s", m, n, k,
          packing ? ", packed" : "");
}

static const size_t product_sizes[][3] = {{1, 1, 1},     {3, 5, 7},       {33, 17, 65},   {128, 64, 96},
                                          {5, 200, 300}, {277, 192, 64},  {600, 30, 31},  {256, 768, 128},
                                          {18, 2, 100},  {533, 320, 128}, {40, 70, 2500}, {100, 24, 600},
                                          {410, 70, 805}};
enum { PRODUCT_SIZES = sizeof product_sizes / sizeof *product_sizes };

static void check_products(const Backend *backend) {
    for (size_t i = 0; i < PRODUCT_SIZES; i++)
        for (int variant = 0; variant < 8; variant++) {
            const size_t *size = product_sizes[i];
            Product p = create_product(size[0], size[1], size[2], variant);
            Packing packing = {0};
            round_product(&p);
            check_product(&p, backend, NULL);
            check_product(&p, backend, &packing);
            p.b[0] += 1;
            round_product(&p);
            packing_outdate(&packing);
            check_product(&p, backend, &packing);
            backend->release_packing(&packing);
            free_product(&p);
        }
}

static void multiplies_f32(void) {
    check_products(&backend_cpu);
}

/* On 1 to 7 threads, the same bytes. */
static void check_on_any_threads(const Backend *backend, size_t m, size_t n, size_t k, int variant) {
    const int threads = parallel_threads();
    Product p = create_product(m, n, k, variant);
    round_product(&p);
    for (int t = 1; t <= 7; t++) {
        float *c = t == 1 ? p.want : p.c;
        parallel_set_threads(t);
        backend->matmul(m, n, k, (Matrix){p.a, p.a_turned ? m : k, p.a_turned, p.rounded_a, NULL},
                        (Matrix){p.b, p.b_turned ? k : n, p.b_turned, p.rounded_b, NULL}, 0, c, n);
        CHECK(!memcmp(c, p.want, m * n * sizeof *c), "%zu x %zu x %zu on %d threads", m, n, k, t);
    }
    free_product(&p);
    parallel_set_threads(threads);
}

/* Scores do not depend on threads: narrow products whose sums are not shared, by rows and by columns. */
static void scores_alike_on_any_threads(void) {
    static const size_t sizes[][3] = {
        {30, 500, 16}, {24, 130, 64}, {47, 33, 50}, {200, 1000, 64}, {9, 64, 64}};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        for (int variant = 0; variant < 4; variant += 2)
            check_on_any_threads(&backend_cpu, sizes[i][0], sizes[i][1], sizes[i][2], variant);
}

/* Where products in bf16 are our own. */
static void bf16_alike_on_any_threads(void) {
    static const size_t sizes[][3] = {{30, 500, 16}, {47, 33, 51}, {800, 130, 64}, {9, 1000, 900}};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes && bf16_matmul_is_present(); i++)
        for (int variant = 0; variant < 4; variant++)
            check_on_any_threads(&backend_cpu_bf16, sizes[i][0], sizes[i][1], sizes[i][2], variant);
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
    check_products(backend);
}

/* oneDNN's, which processors with AMX take, by themselves; what it has no product for is multiplied in f32.
 */
static void multiply_by_onednn(size_t m, size_t n, size_t k, Matrix a, Matrix b, float beta, float *c,
                               size_t c_stride) {
    bool done = true;
    if (!b.packing)
        done = onednn_matmul_bf16(m, n, k, a, b, beta, c, c_stride);
    else if (!a.transposed)
        done = onednn_matmul_packed(true, m, n, k, a, b, beta, c, c_stride);
    else
        backend_cpu.matmul(m, n, k, a, b, beta, c, c_stride);
    CHECK(done, "%zu x %zu x %zu", m, n, k);
}

static void onednn_multiplies_bf16(void) {
    const Backend backend = {.matmul = multiply_by_onednn, .release_packing = cpu_release_packing};
    if (onednn_has_bf16()) check_products(&backend);
}

/* A bias is added as by itself, up to its rounding. */
static void adds_bias_in_bf16(void) {
    static const size_t sizes[][3] = {{3, 5, 7}, {33, 130, 65}, {400, 64, 900}};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes && backend_has_bf16(); i++) {
        const size_t m = sizes[i][0], n = sizes[i][1], k = sizes[i][2];
        Product p = create_product(m, n, k, 0);
        round_product(&p);
        const Matrix a = {p.a, k, false, p.rounded_a, NULL}, b = {p.b, n, false, p.rounded_b, NULL};
        backend_cpu_bf16.matmul(m, n, k, a, b, 0, p.want, n);
        for (size_t j = 0; j < m * n; j++)
            p.want[j] += p.b[j % n];
        backend_matmul_with_bias(&backend_cpu_bf16, m, n, k, a, b, p.b, p.c);
        CHECK(relative_difference(p.c, p.want, m * n) < 2e-6, "%zu x %zu x %zu", m, n, k);
        free_product(&p);
    }
}

/* What is packed in f32 and in bf16, as it is and turned, is kept apart; bf16 is what a packed product
 * computes in. */
static void packs_for_each_use(void) {
    Packing packing = {0};
    Product p = create_product(64, 48, 32, 0);
    Error error;
    if (!backend_has_bf16()) return;
    const Backend *backends[] = {&backend_cpu, backend_find("cpu", "bf16", &error)};
    float first[2];
    for (int round = 0; round < 2; round++)
        for (int dtype = 0; dtype < 2; dtype++) {
            round_all(p.m * p.k, p.a, p.rounded_a);
            backends[dtype]->matmul(p.m, p.n, p.k, (Matrix){p.a, p.k, false, p.rounded_a, NULL},
                                    (Matrix){p.b, p.n, false, NULL, &packing}, 0, p.c, p.n);
            if (!round) first[dtype] = p.c[0];
            CHECK(p.c[0] == first[dtype]);
        }
    CHECK(first[0] != first[1] && fabsf(first[0] - first[1]) < 0.1f);
    backend_cpu.release_packing(&packing);
    free_product(&p);
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
        optimizer_step(&optimizer, layer.set, rates, 1, 0);
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
    const float one[3] = {1};
    float products[6];
    for (int round = 0; round < 2; round++) {
        backend_cpu.matmul(1, 6, 3, matrix_of(one, 3), transposed(parameter_matrix(whole)), 0, products, 6);
        CHECK(products[2] == parts[1]->value[0] && products[0] == parts[0]->value[0]);
        parts[1]->value[0] = 7;
        parameter_changed(parts[1]);
    }
    parameter_set_make_trainable(set);
    CHECK(whole->trainable && whole->gradient + 6 == parts[1]->gradient);
    parameter_gradient(whole, &backend_cpu)[7] = 1;
    CHECK(parts[0]->touched && parts[1]->touched);
    CHECK(parameter_gradient(whole, &backend_cpu)[7] == 1 && whole->gradient[8] == 0);
    parameter_set_clear_gradients(set);
    CHECK(!parts[1]->touched);
    float adds = 1;
    CHECK(parameter_gradient_target(whole, &adds) == whole->gradient && adds == 0);
    CHECK(parameter_gradient_target(whole, &adds) == whole->gradient && adds == 1);
    parameter_set_clear_gradients(set);
    CHECK(parameter_gradient(whole, &backend_cpu)[7] == 0);
    parameter_set_destroy(set);
}

RUN_TESTS(TEST(rounds_to_nearest), TEST(multiplies_f32), TEST(scores_alike_on_any_threads),
          TEST(multiplies_bf16), TEST(bf16_alike_on_any_threads), TEST(onednn_multiplies_bf16),
          TEST(adds_bias_in_bf16), TEST(packs_for_each_use), TEST(trains_alike_in_bf16),
          TEST(joins_parameters))

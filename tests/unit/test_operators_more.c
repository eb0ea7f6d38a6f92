/* The operators of the fusions, user encoders and objectives: their backward steps against finite
 * differences, their forward against the formula written out. */
#include "gradient_check.h"

static Tensor *apply_multiply(Case *c) {
    return multiply(c->tape, c->inputs[0], c->inputs[1]);
}

/* A square: the gradient of both factors meets in one tensor. */
static Tensor *apply_square(Case *c) {
    return multiply(c->tape, c->inputs[0], c->inputs[0]);
}

static Tensor *apply_relu(Case *c) {
    return relu(c->tape, c->inputs[0]);
}

static Tensor *apply_normalise(Case *c) {
    return normalise_rows(c->tape, c->inputs[0]);
}

static void test_elementwise(void) {
    Tensor *(*const operators[])(Case *) = {apply_multiply, apply_square, apply_relu, apply_normalise};
    const size_t shapes[][2] = {{1, 1}, {7, 13}, {30, 33}};
    for (size_t o = 0; o < 4; o++)
        for (size_t s = 0; s < 3; s++) {
            Case c = {.apply = operators[o]};
            start(&c, s);
            add_input(&c, shapes[s][0], shapes[s][1]);
            if (o == 0) add_input(&c, shapes[s][0], shapes[s][1]);
            for (size_t i = 0; i < shapes[s][0] * shapes[s][1];
                 i++) /* clear of ReLU's kink and of a norm of 0 */
                values[0][i] += copysignf(0.1f, values[0][i]);
            check_gradients(&c);
        }
}

static void test_normalise_rows_forward(void) {
    float x[] = {3, 4, 0, 0, -1e-3f, 0};
    Tape *tape = tape_create(&backend_cpu, false);
    const Tensor *y = normalise_rows(tape, tape_leaf(tape, x, 3, 2, false));
    const float want[] = {0.6f, 0.8f, 0, 0, -1, 0};
    CHECK(relative_difference(y->value, want, 6) < 1e-6);
    tape_destroy(tape);
}

static Tensor *apply_join_columns(Case *c) {
    return join_columns(c->tape, c->inputs[0], c->inputs[1]);
}

static Tensor *apply_take_columns(Case *c) {
    return take_columns(c->tape, c->inputs[0], c->first, c->count);
}

static void test_columns(void) {
    Case c = {.apply = apply_join_columns};
    start(&c, 1);
    add_input(&c, 5, 3);
    add_input(&c, 5, 8);
    Tensor *leaves[3];
    const Tensor *y = forward(&c, leaves);
    CHECK(y->columns == 11 && y->value[2 * 11 + 1] == values[0][2 * 3 + 1] &&
          y->value[4 * 11 + 3] == values[1][4 * 8] && y->value[4 * 11 + 10] == values[1][4 * 8 + 7]);
    check_gradients(&c);
    c = (Case){.apply = apply_take_columns, .first = 4, .count = 5};
    start(&c, 2);
    add_input(&c, 6, 11);
    y = forward(&c, leaves);
    CHECK(y->columns == 5 && y->value[3 * 5 + 2] == values[0][3 * 11 + 6]);
    check_gradients(&c);
}

/* Sequences step by step: all at once, some that begin later, a single step. */
static const size_t step_offsets[][7] = {
    {0, 3, 6, 9, 12, 15, 18}, {0, 1, 2, 5, 8, 12, 17}, {0, 2, 4, 7, 11, 15, 19}, {0, 5}};
static const Segments some_steps[] = {
    {6, step_offsets[0]}, {6, step_offsets[1]}, {6, step_offsets[2]}, {1, step_offsets[3]}};

/* The row that stands before another; SIZE_MAX: none. */
static size_t row_before(Segments steps, size_t row) {
    size_t t = 0;
    while (steps.offsets[t + 1] <= row)
        t++;
    if (!t) return SIZE_MAX;
    const size_t sequence = row - steps.offsets[t];
    return steps.offsets[t - 1] + (sequence < segments_length(steps, t - 1) ? sequence : 0);
}

static Tensor *apply_convolution(Case *c) {
    Tensor *windows = causal_windows(c->tape, c->inputs[0], c->a, 3, c->count);
    return linear(c->tape, windows, c->set->list[0], c->set->list[1], ACTIVATION_NONE);
}

/* y[t] = bias + Σ_k weight[k] x[t − (2 − k)·dilation]. */
static double plain_convolution(const Case *c, size_t row, size_t out) {
    const size_t d = c->inputs[0]->columns;
    double sum = (double)c->set->list[1]->value[out];
    for (size_t k = 3; k-- > 0 && row != SIZE_MAX;) {
        for (size_t j = 0; j < d; j++)
            sum += (double)c->set->list[0]->value[(out * d + j) * 3 + k] * (double)values[0][row * d + j];
        for (size_t back = 0; back < c->count && row != SIZE_MAX; back++)
            row = row_before(c->a, row);
    }
    return sum;
}

static void check_convolution(Segments steps, size_t dilation) {
    const size_t rows = segments_rows(steps);
    Case c = {.apply = apply_convolution, .a = steps, .count = dilation};
    start(&c, dilation);
    add_input(&c, rows, 4);
    parameter_add_shaped(c.set, GROUP_REST, INITIAL_NORMAL, 4, (uint64_t[]){5, 4, 1, 3}, "weight");
    fill(&c.random, c.set->list[0]->value, 60);
    parameter(&c, 5, 0, "bias");
    parameter_set_make_trainable(c.set);
    Tensor *leaves[3];
    const Tensor *y = forward(&c, leaves);
    double worst = 0;
    for (size_t i = 0; i < rows * 5; i++)
        worst = fmax(worst, fabs((double)y->value[i] - plain_convolution(&c, i / 5, i % 5)));
    CHECK(worst < 1e-5, "dilation %zu: off by %g", dilation, worst);
    check_gradients(&c);
}

static void test_causal_convolution(void) {
    for (size_t s = 0; s < 4; s++)
        for (size_t dilation = 1; dilation < 9; dilation *= 2)
            check_convolution(some_steps[s], dilation);
}

static Tensor *apply_recurrence(Case *c) {
    return gated_recurrence(c->tape, c->inputs[0], c->set->list[0], c->a);
}

static double sigmoid(double x) {
    return 1 / (1 + exp(-x));
}

/* The largest difference from the recurrence written out, in double. */
static double recurrence_difference(const Case *c, const float *y, size_t rows, size_t d) {
    double worst = 0, *h = calloc((rows + 1) * d, sizeof *h); /* the last row: before the first step */
    for (size_t row = 0; row < rows; row++) {
        const size_t place = row_before(c->a, row);
        const double *before = h + (place == SIZE_MAX ? rows : place) * d;
        for (size_t j = 0; j < d; j++) {
            double products[3] = {0};
            for (size_t g = 0; g < 3; g++)
                for (size_t k = 0; k < d; k++)
                    products[g] += (double)c->set->list[0]->value[(g * d + j) * d + k] * before[k];
            const float *input = values[0] + row * 3 * d + j;
            const double r = sigmoid((double)input[0] + products[0]);
            const double z = sigmoid((double)input[d] + products[1]);
            const double n = tanh((double)input[2 * d] + r * products[2]);
            h[row * d + j] = (1 - z) * n + z * before[j];
            worst = fmax(worst, fabs((double)y[row * d + j] - h[row * d + j]));
        }
    }
    free(h);
    return worst;
}

static void test_gated_recurrence(void) {
    const size_t widths[] = {4, 1, 19, 6};
    for (size_t s = 0; s < 4; s++) {
        const size_t rows = segments_rows(some_steps[s]), d = widths[s];
        Case c = {.apply = apply_recurrence, .a = some_steps[s]};
        start(&c, s);
        add_input(&c, rows, 3 * d);
        parameter(&c, 3 * d, d, "recurrent");
        for (size_t i = 0; i < c.set->list[0]->count; i++)
            c.set->list[0]->value[i] /= sqrtf((float)d);
        parameter_set_make_trainable(c.set);
        Tensor *leaves[3];
        const double worst = recurrence_difference(&c, forward(&c, leaves)->value, rows, d);
        CHECK(worst < 2e-6, "off by %g", worst);
        check_gradients(&c);
    }
}

/* Three anchors against five candidates in two groups; the last anchor has one positive twice. */
static const float contrast_weights[] = {2, 1, 1, 0, 3};
static const uint32_t contrast_groups[] = {0, 1, 1};
static const size_t contrast_grouped[] = {0, 2, 4}, contrast_excluded[] = {0, 1, 1, 2};
static const size_t contrast_positives[] = {0, 1, 3, 5};
static const uint32_t contrast_grouped_candidates[] = {0, 1, 4, 4}, contrast_excluded_candidates[] = {4, 0};
static const uint32_t contrast_positive_candidates[] = {3, 0, 2, 1, 1};
/* The same by hand: by anchor and candidate, how often it is a positive and how often a negative. */
static const int contrast_counts[3][5][2] = {{{0, 1}, {0, 0}, {0, 1}, {1, 0}, {0, 0}},
                                             {{1, 2}, {0, 1}, {1, 1}, {0, 0}, {0, 1}},
                                             {{0, 0}, {2, 1}, {0, 1}, {0, 0}, {0, 1}}};
static const ContrastivePairs contrast_pairs = {contrast_weights,        contrast_groups,
                                                {2, contrast_grouped},   contrast_grouped_candidates,
                                                {3, contrast_excluded},  contrast_excluded_candidates,
                                                {3, contrast_positives}, contrast_positive_candidates};

static Tensor *apply_contrast(Case *c) {
    Tensor *loss = contrastive_loss(c->tape, c->inputs[0], c->inputs[1], c->temperature, &contrast_pairs);
    return weighted_sum(c->tape, &loss, (const double[]){3}, 1);
}

static void test_contrastive_loss(void) {
    for (double temperature = 0.5; temperature < 5; temperature *= 4) {
        Case c = {.apply = apply_contrast, .temperature = temperature};
        start(&c, 6);
        add_input(&c, 3, 4);
        add_input(&c, 5, 4);
        double want = 0;
        for (size_t a = 0; a < 3; a++) {
            double positives = 0, negatives = 0;
            for (size_t k = 0; k < 5; k++) {
                double dot = 0;
                for (size_t j = 0; j < 4; j++)
                    dot += (double)values[0][a * 4 + j] * (double)values[1][k * 4 + j];
                positives += contrast_counts[a][k][0] * exp(dot / temperature);
                negatives += contrast_counts[a][k][1] * exp(dot / temperature);
            }
            want -= log(positives / (positives + negatives));
        }
        Tensor *leaves[3];
        const double got = (double)*forward(&c, leaves)->value;
        CHECK(fabs(got - want) < 1e-5 * want, "%.8g instead of %.8g", got, want);
        check_gradients(&c);
    }
}

/* Scores that overflow exp give a finite loss; a NaN is seen. */
static void test_contrastive_loss_extremes(void) {
    float anchors[] = {1}, candidates[] = {-1, 1};
    const size_t one[] = {0, 1}, none[] = {0, 0};
    const uint32_t zero[] = {0};
    const ContrastivePairs pairs = {
        (const float[]){1, 1}, zero, {1, none}, zero, {1, one}, zero, {1, one}, zero};
    Tape *tape = tape_create(&backend_cpu, true);
    const Tensor *loss = contrastive_loss(tape, tape_leaf(tape, anchors, 1, 1, true),
                                          tape_leaf(tape, candidates, 2, 1, true), 1e-3, &pairs);
    CHECK(fabsf(*loss->value - 2000) < 1e-2f, "%g", (double)*loss->value);
    candidates[0] = NAN;
    loss = contrastive_loss(tape, tape_leaf(tape, anchors, 1, 1, true),
                            tape_leaf(tape, candidates, 2, 1, true), 1e-3, &pairs);
    CHECK(isnan(*loss->value));
    tape_destroy(tape);
}

static Tensor *apply_softmax(Case *c) {
    Tensor *loss = softmax_cross_entropy(c->tape, c->inputs[0], c->rows);
    return weighted_sum(c->tape, &loss, (const double[]){5}, 1);
}

static void test_softmax_cross_entropy(void) {
    static const uint32_t classes[] = {2, 0, 1, 2, 2};
    Case c = {.apply = apply_softmax, .rows = classes};
    start(&c, 7);
    add_input(&c, 5, 3);
    double want = 0;
    for (size_t i = 0; i < 5; i++) {
        const float *x = values[0] + 3 * i;
        want += log(exp((double)x[0]) + exp((double)x[1]) + exp((double)x[2])) - (double)x[classes[i]];
    }
    Tensor *leaves[3];
    const double got = (double)*forward(&c, leaves)->value;
    CHECK(fabs(got - want) < 1e-5 * want, "%.8g instead of %.8g", got, want);
    check_gradients(&c);
}

RUN_TESTS(TEST(test_elementwise), TEST(test_normalise_rows_forward), TEST(test_columns),
          TEST(test_causal_convolution), TEST(test_gated_recurrence), TEST(test_contrastive_loss),
          TEST(test_contrastive_loss_extremes), TEST(test_softmax_cross_entropy))

/* Every operator's backward step against finite differences, over odd shapes, and its forward against a plain
 * one. */
#include "gradient_check.h"
#include "nn/backend/cpu/small_matmul.h"
#include "nn/backend/cpu/vector_math.h"

#include <cblas.h>

static Tensor *apply_linear(Case *c) {
    return linear(c->tape, c->inputs[0], c->set->list[0], c->set->count > 1 ? c->set->list[1] : NULL,
                  c->activation);
}

/* Inputs above 0 and weights and bias of one sign in each row: no output is near ReLU's kink, where a
 * difference is no gradient. */
static void keep_clear_of_zero(Case *c) {
    const Tensor *x = c->inputs[0];
    for (size_t i = 0; i < x->rows * x->columns; i++)
        values[0][i] = fabsf(values[0][i]) + 0.1f;
    for (size_t p = 0; p < c->set->count; p++) {
        Parameter *parameter_ = c->set->list[p];
        const size_t width = parameter_->dimensions > 1 ? parameter_->columns : 1;
        for (size_t i = 0; i < parameter_->count; i++)
            parameter_->value[i] =
                copysignf(fabsf(parameter_->value[i]) + 0.1f, i / width % 2 ? -1.0f : 1.0f);
    }
}

static void test_linear(void) {
    const size_t shapes[][3] = {{1, 1, 1}, {3, 5, 7}, {17, 64, 33}, {40, 16, 96}};
    for (size_t s = 0; s < 4; s++)
        for (int activation = ACTIVATION_NONE; activation <= ACTIVATION_SIGMOID; activation++)
            for (int bias = 0; bias < 2; bias++) {
                Case c = {.apply = apply_linear, .activation = (Activation)activation};
                start(&c, 10 * s + (size_t)activation);
                add_input(&c, shapes[s][0], shapes[s][1]);
                parameter(&c, shapes[s][2], shapes[s][1], "weight");
                if (bias) parameter(&c, shapes[s][2], 0, "bias");
                if (activation == ACTIVATION_RELU) keep_clear_of_zero(&c);
                parameter_set_make_trainable(c.set);
                check_gradients(&c);
            }
}

static Tensor *apply_layer_norm(Case *c) {
    if (c->input_count == 1) return layer_norm(c->tape, c->inputs[0], c->set->list[0], c->set->list[1], 1e-5);
    return residual_layer_norm(c->tape, c->inputs[0], c->inputs[1], c->dropout, c->set->list[0],
                               c->set->list[1], 1e-5);
}

static void test_layer_norm(void) {
    const size_t shapes[][2] = {{1, 2}, {5, 7}, {9, 64}, {30, 33}};
    for (size_t s = 0; s < 4; s++)
        for (int residual = 0; residual < 3; residual++) {
            Case c = {.apply = apply_layer_norm, .dropout = residual == 2 ? 0.3 : 0};
            start(&c, s);
            add_input(&c, shapes[s][0], shapes[s][1]);
            if (residual) add_input(&c, shapes[s][0], shapes[s][1]);
            if (s == 0) /* two columns: keep their difference away from zero */
                for (size_t i = 0; i < c.input_count; i++)
                    values[i][0] += 4 * (float)(i + 1);
            parameter(&c, shapes[s][1], 0, "weight");
            parameter(&c, shapes[s][1], 0, "bias");
            parameter_set_make_trainable(c.set);
            check_gradients(&c);
        }
}

static Tensor *apply_residual(Case *c) {
    return residual_add(c->tape, c->input_count > 1 ? c->inputs[1] : NULL, c->inputs[0], c->dropout);
}

static void test_residual_and_dropout(void) {
    for (size_t i = 0; i < 4; i++) {
        Case c = {.apply = apply_residual, .dropout = i % 2 ? 0.4 : 0};
        start(&c, i);
        add_input(&c, 13, 9);
        if (i > 1) add_input(&c, 13, 9);
        check_gradients(&c);
    }
    Tape *tape = tape_create(&backend_cpu, true);
    Random random;
    random_seed(&random, 1, 1);
    static float ones[100000];
    for (size_t i = 0; i < 100000; i++)
        ones[i] = 1;
    const Tensor *y = dropout(tape, tape_leaf(tape, ones, 1000, 100, true), 0.25);
    double sum = 0;
    size_t dropped = 0;
    for (size_t i = 0; i < 100000; i++) {
        sum += (double)y->value[i];
        dropped += y->value[i] == 0;
    }
    CHECK(fabs(sum / 1e5 - 1) < 0.01 && labs((long)dropped - 25000) < 600, "mean %g, dropped %zu", sum / 1e5,
          dropped);
    tape_destroy(tape);
}

static Tensor *apply_attention(Case *c) {
    Tensor **in = c->inputs;
    return attention(c->tape, in[0], in[1], in[2], c->a, c->b, c->heads, c->causal, c->dropout);
}

static void test_attention(void) {
    static const size_t one[] = {0, 1}, mixed[] = {0, 3, 3, 20, 21}, other[] = {0, 5, 9, 9, 26};
    const Segments shapes[][2] = {{{1, one}, {1, one}}, {{4, mixed}, {4, mixed}}, {{4, mixed}, {4, other}}};
    const size_t columns[] = {4, 12, 40};
    for (size_t s = 0; s < 3; s++)
        for (size_t w = 0; w < 3; w++)
            for (int kind = 0; kind < 3; kind++) {
                Case c = {.apply = apply_attention,
                          .heads = w == 1 ? 3 : 2,
                          .causal = kind == 1 && s < 2,
                          .dropout = kind == 2 ? 0.2 : 0,
                          .a = shapes[s][0],
                          .b = shapes[s][1]};
                start(&c, s + w);
                add_input(&c, segments_rows(c.a), columns[w]);
                add_input(&c, segments_rows(c.b), columns[w]);
                add_input(&c, segments_rows(c.b), columns[w]);
                check_gradients(&c);
            }
}

/* Against softmax written out, in double. */
static void test_attention_forward(void) {
    enum { ROWS = 19, D = 24, HEADS = 2, W = D / HEADS };
    static const size_t offsets[] = {0, 18, 19};
    float q[ROWS * D], k[ROWS * D], v[ROWS * D];
    Random random;
    random_seed(&random, 5, 0);
    fill(&random, q, ROWS * D), fill(&random, k, ROWS * D), fill(&random, v, ROWS * D);
    Tape *tape = tape_create(&backend_cpu, false);
    const Segments segments = {2, offsets};
    for (int causal = 0; causal < 2; causal++) {
        const Tensor *y =
            attention(tape, tape_leaf(tape, q, ROWS, D, false), tape_leaf(tape, k, ROWS, D, false),
                      tape_leaf(tape, v, ROWS, D, false), segments, segments, HEADS, causal, 0.5);
        double worst = 0;
        for (size_t i = 0; i < ROWS; i++)
            for (size_t h = 0; h < HEADS; h++) {
                const size_t first = i < 18 ? 0 : 18, last = causal ? i + 1 : i < 18 ? 18 : 19;
                double p[ROWS], total = 0;
                for (size_t j = first; j < last; j++) {
                    double dot = 0;
                    for (size_t d = 0; d < W; d++)
                        dot += (double)q[i * D + h * W + d] * (double)k[j * D + h * W + d];
                    total += p[j] = exp(dot / sqrt(W));
                }
                for (size_t d = 0; d < W; d++) {
                    double want = 0;
                    for (size_t j = first; j < last; j++)
                        want += p[j] / total * (double)v[j * D + h * W + d];
                    worst = fmax(worst, fabs(want - (double)y->value[i * D + h * W + d]));
                }
            }
        CHECK(worst < 2e-6, "off by %g", worst);
    }
    tape_destroy(tape);
}

static Tensor *apply_embedding(Case *c) {
    const EmbeddingRows tables[] = {{c->set->list[0], c->rows, 0, 2}, {c->set->list[1], NULL, 1, -1}};
    return embedding_sum(c->tape, c->input_count ? c->inputs[0] : NULL, tables, 2, 7);
}

static Tensor *apply_gather(Case *c) {
    return gather_rows(c->tape, c->inputs[0], c->rows, 7);
}

static void test_embedding_and_gather(void) {
    static const uint32_t rows[] = {0, 3, 3, 1, 4, 0, 3};
    for (int base = 0; base < 2; base++) {
        Case c = {.apply = apply_embedding, .rows = rows};
        start(&c, 3);
        if (base) add_input(&c, 7, 6);
        parameter(&c, 5, 6, "words");
        parameter(&c, 2, 6, "types");
        parameter_set_make_trainable(c.set);
        check_gradients(&c);
    }
    Case c = {.apply = apply_gather, .rows = rows};
    start(&c, 4);
    add_input(&c, 5, 70);
    check_gradients(&c);
}

static void test_embedding_padding_takes_no_gradient(void) {
    static const uint32_t rows[] = {1, 2, 1};
    Case c = {.rows = rows};
    start(&c, 3);
    Parameter *table = parameter(&c, 3, 4, "words");
    parameter_set_make_trainable(c.set);
    const EmbeddingRows tables[] = {{table, rows, 0, 1}};
    Tensor *mean =
        segment_mean(c.tape, embedding_sum(c.tape, NULL, tables, 1, 3), (Segments){1, (size_t[]){0, 3}});
    tape_gradient(c.tape, mean)[0] = 3;
    for (size_t i = c.tape->count; i-- > 0;)
        c.tape->nodes[i].backward(c.tape, c.tape->nodes[i].context);
    CHECK(table->gradient[4] == 0 && fabsf(table->gradient[8] - 1) < 1e-6f);
    tape_destroy(c.tape);
    parameter_set_destroy(c.set);
}

static Tensor *apply_join(Case *c) {
    Segments joined;
    return join_segments(c->tape, c->inputs[0], c->a, c->inputs[1], c->b, &joined);
}

static Tensor *apply_prepend(Case *c) {
    Segments longer;
    return prepend_row(c->tape, c->set->list[0], c->inputs[0], c->a, &longer);
}

static Tensor *apply_mean(Case *c) {
    return segment_mean(c->tape, c->inputs[0], c->a);
}

static Tensor *apply_append(Case *c) {
    return append_zero_rows(c->tape, c->inputs[0], 3);
}

static Tensor *apply_first(Case *c) {
    return segment_first(c->tape, c->inputs[0], c->a);
}

static void test_segments(void) {
    static const size_t a[] = {0, 2, 2, 5}, b[] = {0, 1, 4, 4};
    Tensor *(*const operators[])(Case *) = {apply_join, apply_prepend, apply_mean, apply_append, apply_first};
    for (size_t o = 0; o < 5; o++) {
        Case c = {.apply = operators[o], .a = {3, a}, .b = {3, b}};
        start(&c, o);
        add_input(&c, 5, 6);
        if (o == 0) add_input(&c, 4, 6);
        if (o == 1) parameter(&c, 6, 0, "row");
        parameter_set_make_trainable(c.set);
        check_gradients(&c);
    }
}

static const size_t dap_rows[] = {0, 4, 6, 9};
static const uint32_t dap_own[] = {0, 1, 2, 0, 3, 1, 4, 2, 5};
static const uint32_t dap_targets[] = {1, 2, 0, 1, 2, 5};
static const uint32_t dap_users[] = {0, 0, 0, 1, 2, 2};
static const float dap_popularity[] = {.1f, .3f, .2f, .05f, .15f, .2f}, dap_counts[] = {2, 2, 2, 1, 1, 1};

static DebiasedTargets dap_example(float log_popularity[6], float log_occurrences[6]) {
    for (size_t i = 0; i < 6; i++) {
        log_popularity[i] = logf(dap_popularity[i]);
        log_occurrences[i] = logf(dap_counts[i]);
    }
    return (DebiasedTargets){6,       dap_targets,    dap_users,      {3, dap_rows},
                             dap_own, log_popularity, log_occurrences};
}

static Tensor *apply_cross_entropy(Case *c) {
    float *logs = arena_take(c->tape->arena, 12, sizeof(float));
    DebiasedTargets *targets = arena_take(c->tape->arena, 1, sizeof *targets);
    *targets = dap_example(logs, logs + 6);
    Tensor *loss = debiased_cross_entropy(c->tape, c->inputs[0], c->inputs[1], targets);
    return weighted_sum(c->tape, (Tensor *const[]){loss, loss}, (const double[]){2, 5}, 2);
}

/* The formula of the objective, column by column: every place of the batch is one. */
static double plain_dap(const float *hidden, const float *items, size_t d) {
    double loss = 0;
    for (size_t p = 0; p < 6; p++) {
        double total = 0, own = 0;
        for (size_t user = 0, target_done = 0; user < 3; user++)
            for (size_t c = dap_rows[user]; c < dap_rows[user + 1]; c++) {
                const uint32_t item = dap_own[c];
                double dot = -log((double)dap_popularity[item]);
                for (size_t j = 0; j < d; j++)
                    dot += (double)hidden[p * d + j] * (double)items[item * d + j];
                bool in_row = false;
                for (size_t e = dap_rows[dap_users[p]]; e < dap_rows[dap_users[p] + 1]; e++)
                    in_row = in_row || dap_own[e] == item;
                if (user == dap_users[p] && item == dap_targets[p] && !target_done++) {
                    own = dot;
                    total += exp(dot);
                } else if (!in_row) {
                    total += exp(dot);
                }
            }
        loss += log(total) - own;
    }
    return loss / 6;
}

static void test_debiased_cross_entropy(void) {
    Case c = {.apply = apply_cross_entropy};
    start(&c, 8);
    add_input(&c, 6, 10);
    add_input(&c, 6, 10);
    const double want = plain_dap(values[0], values[1], 10);
    Tensor *leaves[3];
    const double got = (double)*forward(&c, leaves)->value / 7;
    CHECK(fabs(got - want) < 1e-5 * want, "%.8g instead of %.8g", got, want);
    check_gradients(&c);
}

static void test_vector_math(void) {
    double exp_worst = 0, below_worst = 0, moment_worst = 0;
    for (int i = -87000; i < 88000; i += 7) {
        const float x = (float)i / 1000;
        exp_worst = fmax(exp_worst, fabs((double)vector_exp(x) / exp((double)x) - 1));
        const float z = x / 10;
        below_worst =
            fmax(below_worst, fabs((double)vector_normal_below(z) - 0.5 * erfc(-(double)z * M_SQRT1_2)));
        moment_worst = fmax(moment_worst, fabs((double)vector_normal_moment(z) -
                                               (double)z * exp(-0.5 * (double)z * (double)z) * 0.3989422804));
    }
    CHECK(exp_worst < 3e-7 && below_worst < 1e-7 && moment_worst < 1e-7, "exp %g, normal %g and %g",
          exp_worst, below_worst, moment_worst);
    CHECK(vector_exp(-200) == 0 && isfinite(vector_exp(200)) && isnan(vector_exp(NAN)) &&
          isnan(vector_sigmoid(NAN)) && isnan(vector_tanh(NAN)));
}

static void test_small_matmul(void) {
    const size_t shapes[][3] = {{1, 1, 1}, {7, 17, 5}, {13, 64, 31}, {50, 50, 64}, {3, 100, 2}};
    Random random;
    random_seed(&random, 2, 0);
    for (size_t s = 0; s < 5; s++) {
        const size_t m = shapes[s][0], n = shapes[s][1], k = shapes[s][2], stride = small_stride(n);
        float *a = aligned_alloc(64, 64 * (m * k + 16)), *b = aligned_alloc(64, 64 * k * stride);
        float *c = aligned_alloc(64, 64 * m * stride);
        fill(&random, a, m * k), fill(&random, b, k * stride);
        for (int variant = 0; variant < 4; variant++) {
            const bool turned = variant & 1, adds = variant & 2;
            double worst = 0;
            for (size_t i = 0; i < m * stride; i++)
                c[i] = 3;
            small_matmul(m, n, k, turned ? small_left_transposed(a, m) : small_left(a, k), b, stride, adds, c,
                         stride);
            for (size_t i = 0; i < m; i++)
                for (size_t j = 0; j < n; j++) {
                    double want = adds ? 3 : 0;
                    for (size_t p = 0; p < k; p++)
                        want += (double)a[turned ? p * m + i : i * k + p] * (double)b[p * stride + j];
                    worst = fmax(worst, fabs(want - (double)c[i * stride + j]));
                }
            CHECK(worst < 1e-4, "%zu×%zu×%zu off by %g", m, n, k, worst);
        }
        free(a), free(b), free(c);
    }
}

/* OpenBLAS's own threads would compete with OpenMP's: the variant that uses these must be the one that is
 * linked. */
static void test_blas_uses_openmp(void) {
    CHECK(openblas_get_parallel() == OPENBLAS_OPENMP, "%d", openblas_get_parallel());
}

RUN_TESTS(TEST(test_blas_uses_openmp), TEST(test_vector_math), TEST(test_small_matmul), TEST(test_linear),
          TEST(test_layer_norm), TEST(test_residual_and_dropout), TEST(test_attention),
          TEST(test_attention_forward), TEST(test_embedding_and_gather),
          TEST(test_embedding_padding_takes_no_gradient), TEST(test_segments),
          TEST(test_debiased_cross_entropy))

/* Gradients against finite differences. */
#ifndef TESTS_GRADIENT_CHECK_H
#define TESTS_GRADIENT_CHECK_H

#include "check.h"
#include "nn/operators/operators.h"

/* What is being tested: a scalar of a few tensors and parameters. */
typedef struct Case {
    ParameterSet *set;
    Tape *tape;
    Tensor *inputs[3];
    size_t input_count;
    Random random;
    double dropout, temperature;
    size_t heads;
    bool causal;
    Activation activation;
    Segments a, b;
    const uint32_t *rows;
    size_t first, count; /* of columns */
    Tensor *(*apply)(struct Case *);
} Case;

static float *values[3];

static inline void fill(Random *random, float *to, size_t count) {
    for (size_t i = 0; i < count; i++)
        to[i] = (float)random_normal(random);
}

static inline Parameter *parameter(Case *c, size_t rows, size_t columns, const char *name) {
    Parameter *p = parameter_add(c->set, GROUP_REST, INITIAL_NORMAL, rows, columns, "%s", name);
    fill(&c->random, p->value, p->count);
    return p;
}

static inline void start(Case *c, uint64_t seed) {
    c->set = parameter_set_create();
    c->tape = tape_create(&backend_cpu, true);
    random_seed(&c->random, seed, 0);
    c->input_count = 0;
}

static inline void add_input(Case *c, size_t rows, size_t columns) {
    values[c->input_count] = malloc(rows * columns * sizeof(float) + 1);
    fill(&c->random, values[c->input_count], rows * columns);
    static Tensor shapes[3];
    shapes[c->input_count] = (Tensor){.rows = rows, .columns = columns};
    c->inputs[c->input_count] = &shapes[c->input_count];
    c->input_count++;
}

/* A fixed weighting of the outputs, so that every output matters differently. */
static inline double weight_of(size_t i) {
    return cos((double)i * 1.7) + 0.3;
}

static inline Tensor *forward(Case *c, Tensor *leaves[3]) {
    Tensor *saved[3] = {0};
    tape_reset(c->tape, 99);
    for (size_t i = 0; i < c->set->count; i++)
        parameter_changed(c->set->list[i]);
    for (size_t i = 0; i < c->input_count; i++) {
        saved[i] = c->inputs[i];
        leaves[i] = c->inputs[i] = tape_leaf(c->tape, values[i], saved[i]->rows, saved[i]->columns, true);
    }
    Tensor *y = c->apply(c);
    for (size_t i = 0; i < c->input_count; i++)
        c->inputs[i] = saved[i];
    return y;
}

static inline double scalar(Case *c) {
    Tensor *leaves[3];
    const Tensor *y = forward(c, leaves);
    double sum = 0;
    for (size_t i = 0; i < y->rows * y->columns; i++)
        sum += weight_of(i) * (double)y->value[i];
    return sum;
}

static inline void compare(Case *c, const char *what, float *value, const float *gradient, size_t count) {
    double largest = 1e-3, worst = 0;
    for (size_t i = 0; i < count; i++)
        largest = fmax(largest, fabs((double)gradient[i]));
    const size_t step = count > 60 ? count / 60 : 1;
    for (size_t i = 0; i < count; i += step) {
        const float before = value[i], h = 4e-3f;
        value[i] = before + h;
        const double above = scalar(c);
        value[i] = before - h;
        const double below = scalar(c);
        value[i] = before;
        const double numeric = (above - below) / (2 * (double)h);
        const double difference = fabs(numeric - (double)gradient[i]);
        if (!(difference <= worst)) worst = difference;
    }
    CHECK(worst <= 4e-3 * largest + 2e-3, "%s: off by %g of %g", what, worst, largest);
}

/* Backward through the weighting, then each input and parameter in turn. */
static inline void check_gradients(Case *c) {
    Tensor *leaves[3];
    Tensor *y = forward(c, leaves);
    float *dy = tape_gradient(c->tape, y);
    for (size_t i = 0; i < y->rows * y->columns; i++)
        dy[i] = (float)weight_of(i);
    for (size_t i = c->tape->count; i-- > 0;)
        c->tape->nodes[i].backward(c->tape, c->tape->nodes[i].context);
    float *copies[3] = {0};
    for (size_t i = 0; i < c->input_count; i++) {
        const size_t bytes = leaves[i]->rows * leaves[i]->columns * sizeof(float);
        copies[i] = malloc(bytes + 1);
        if (bytes) memcpy(copies[i], tape_gradient(c->tape, leaves[i]), bytes);
    }
    for (size_t i = 0; i < c->input_count; i++)
        compare(c, "input", values[i], copies[i], c->inputs[i]->rows * c->inputs[i]->columns);
    for (size_t i = 0; i < c->set->count; i++) {
        Parameter *p = c->set->list[i];
        CHECK(p->touched, "%s has no gradient", p->name);
        compare(c, p->name, p->value, p->gradient, p->count);
    }
    for (size_t i = 0; i < c->input_count; i++) {
        free(copies[i]);
        free(values[i]);
    }
    tape_destroy(c->tape);
    parameter_set_destroy(c->set);
}

#endif

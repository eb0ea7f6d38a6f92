/* operators [--threads N] [--dtype f32|bf16]: times each operator by itself, forward and backward, in
 * processor seconds, and prints the time of a row. */
#include "nn/operators/operators.h"
#include "core/memory.h"
#include "core/options.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { SEGMENTS = 32, TOKENS = 50, ROWS = SEGMENTS * TOKENS, WIDTH = 768, REPEATS = 5 };

static const char *dtype = "f32";
static Option options[] = {
    {.name = "dtype",
     .kind = OPTION_TEXT,
     .value = &dtype,
     .choices = "f32|bf16",
     .argument = "TYPE",
     .help = "of the matrix products"},
    {0},
};
static Program program = {.name = "operators",
                          .usage = "[options]",
                          .purpose = "Times each operator by itself.",
                          .example = "  operators --threads 1",
                          .options = options};

static struct {
    Parameter *weight, *bias, *wide_weight, *wide_bias, *narrow_weight, *joined, *norm_weight, *classes;
} p;
static Segments segments;
static uint32_t targets[ROWS];

static Tensor *run_linear(Tape *tape, Tensor *x) {
    return linear(tape, x, p.weight, p.bias, ACTIVATION_NONE);
}
static Tensor *run_feed_forward(Tape *tape, Tensor *x) {
    return feed_forward(tape, x,
                        &(LinearPair){p.wide_weight, p.wide_bias, p.narrow_weight, p.bias, ACTIVATION_GELU});
}
static Tensor *run_self_attention(Tape *tape, Tensor *x) {
    return self_attention(tape, linear(tape, x, p.joined, NULL, ACTIVATION_NONE), segments, 12, false, 0.1);
}
static Tensor *run_layer_norm(Tape *tape, Tensor *x) {
    return layer_norm(tape, x, p.norm_weight, p.bias, 1e-5);
}
static Tensor *run_residual_layer_norm(Tape *tape, Tensor *x) {
    return residual_layer_norm(tape, x, x, 0.1, p.norm_weight, p.bias, 1e-5);
}
static Tensor *run_residual_add(Tape *tape, Tensor *x) {
    return residual_add(tape, x, x, 0.1);
}
static Tensor *run_segment_mean(Tape *tape, Tensor *x) {
    return segment_mean(tape, x, segments);
}

static const struct {
    const char *name;
    Tensor *(*run)(Tape *tape, Tensor *x);
} operators[] = {
    {"linear", run_linear},
    {"feed_forward", run_feed_forward},
    {"linear + attention", run_self_attention},
    {"layer_norm", run_layer_norm},
    {"residual_layer_norm", run_residual_layer_norm},
    {"residual_add", run_residual_add},
    {"segment_mean", run_segment_mean},
};

static double seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* The best of several runs, forward and backward; a cross entropy behind it makes the gradient. */
static void time_operator(size_t number, Tape *tape, float *values) {
    double forward = 1e9, backward = 1e9;
    for (int i = 0; i < REPEATS; i++) {
        tape_reset(tape, (uint64_t)i);
        Tensor *x = tape_leaf(tape, values, ROWS, WIDTH, true);
        const double start = seconds();
        Tensor *y = operators[number].run(tape, x);
        const double middle = seconds();
        const size_t own = tape->count;
        Tensor *loss =
            softmax_cross_entropy(tape, linear(tape, y, p.classes, NULL, ACTIVATION_NONE), targets);
        *tape_gradient(tape, loss) = 1;
        for (size_t node = tape->count; node-- > own;)
            tape->nodes[node].backward(tape, tape->nodes[node].context);
        const double back = seconds();
        for (size_t node = own; node-- > 0;)
            tape->nodes[node].backward(tape, tape->nodes[node].context);
        const double end = seconds();
        if (middle - start < forward) forward = middle - start;
        if (end - back < backward) backward = end - back;
    }
    printf("%-22s %-5s %10.3f %10.3f\n", operators[number].name, dtype, 1e6 * forward / ROWS,
           1e6 * backward / ROWS);
}

int main(int argc, char **argv) {
    Error error;
    options_parse(&program, argc, argv);
    const Backend *backend = backend_find("cpu", dtype, &error);
    if (!backend) {
        fprintf(stderr, "operators: %s\n", error.message);
        return 1;
    }
    ParameterSet *set = parameter_set_create();
#define MATRIX(name, rows, columns)                                                                          \
    p.name = parameter_add(set, GROUP_REST, INITIAL_NORMAL, rows, columns, #name)
    MATRIX(weight, WIDTH, WIDTH);
    MATRIX(wide_weight, 4 * WIDTH, WIDTH);
    MATRIX(narrow_weight, WIDTH, 4 * WIDTH);
    MATRIX(joined, 3 * WIDTH, WIDTH);
    MATRIX(classes, 2, WIDTH);
    MATRIX(bias, WIDTH, 0);
    MATRIX(wide_bias, 4 * WIDTH, 0);
    MATRIX(norm_weight, WIDTH, 0);
    parameter_set_initialise(set, 1);
    parameter_set_make_trainable(set);
    size_t offsets[SEGMENTS + 1];
    for (size_t i = 0; i <= SEGMENTS; i++)
        offsets[i] = i * TOKENS;
    segments = (Segments){SEGMENTS, offsets};
    float *values = memory_need((size_t)ROWS * WIDTH, sizeof *values);
    for (size_t i = 0; i < (size_t)ROWS * WIDTH; i++)
        values[i] = (float)(i % 97) / 97 - 0.5f;
    Tape *tape = tape_create(backend, true);
    printf("%-22s %-5s %10s %10s   (microseconds a row of %d, best of %d)\n", "operator", "dtype", "forward",
           "backward", WIDTH, REPEATS);
    for (size_t i = 0; i < sizeof operators / sizeof *operators; i++)
        time_operator(i, tape, values);
    tape_destroy(tape);
    parameter_set_destroy(set);
    free(values);
    return 0;
}

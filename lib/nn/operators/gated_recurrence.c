#include "nn/operators/operators.h"

/* The gradient of a step's products stands at the rows of the step before, whose states they are products of:
 * so those of all steps together are one product with the weights' other side. */
typedef struct Recurrence {
    Tensor *inputs, *y;
    Parameter *recurrent;
    Segments steps;
    float *kept; /* what the kernel keeps for backward, [rows, 4·D] */
} Recurrence;

static size_t sequences_before(Segments steps, size_t t) {
    return t ? segments_length(steps, t - 1) : 0;
}

/* The rows that have a step behind them. */
static size_t rows_before(Segments steps) {
    return steps.count ? steps.offsets[steps.count - 1] : 0;
}

static float *input_gradient(Tape *tape, const Recurrence *r) {
    if (r->inputs->needs_gradient) return tape_gradient(tape, r->inputs);
    const size_t count = r->inputs->rows * r->inputs->columns;
    float *ignored = tape_take(tape, count, sizeof *ignored);
    tape->backend->memory->fill(count, 0, ignored);
    return ignored;
}

/* Adds the gradients of what began in the step to sequence 0's, from which it went on. */
static void add_beginnings(Tape *tape, const RecurrentStepBackward *step) {
    const size_t begun = step->sequences - step->before, d = step->width;
    if (!begun || !step->before) return;
    const ColumnKernels *columns = tape->backend->columns;
    columns->sums(begun, 3 * d, step->beginning_gradient, step->product_gradient, tape->values);
    columns->sums(begun, d, step->carried + step->before * d, step->carried, tape->values);
}

static void recurrence_backward(Tape *tape, void *context) {
    const Recurrence *r = context;
    const Segments steps = r->steps;
    const size_t d = r->y->columns, count = rows_before(steps), last = r->y->rows - count;
    float *di = input_gradient(tape, r);
    float *product_gradient = tape_take(tape, count * 3 * d, sizeof *product_gradient);
    float *beginning_gradient = tape_take(tape, last * 3 * d, sizeof *beginning_gradient);
    float *carried = tape_take(tape, last * d, sizeof *carried);
    tape->backend->memory->fill(last * d, 0, carried);
    for (size_t t = steps.count; t-- > 0;) {
        const size_t row = steps.offsets[t], before = sequences_before(steps, t), row_before = row - before;
        const RecurrentStepBackward step = {.sequences = segments_length(steps, t),
                                            .before = before,
                                            .width = d,
                                            .h_before = r->y->value + row_before * d,
                                            .kept = r->kept + row * 4 * d,
                                            .dy = r->y->gradient + row * d,
                                            .input_gradient = di + row * 3 * d,
                                            .product_gradient = product_gradient + row_before * 3 * d,
                                            .beginning_gradient = beginning_gradient,
                                            .carried = carried};
        tape->backend->sequences->recurrent_step_backward(&step);
        add_beginnings(tape, &step);
        if (before)
            tape->backend->matmul(before, d, 3 * d, matrix_of(step.product_gradient, 3 * d),
                                  parameter_matrix(r->recurrent), 1, carried, d);
    }
    if (!r->recurrent->trainable) return;
    float adds, *to = parameter_gradient_target(r->recurrent, &adds);
    tape->backend->matmul(3 * d, d, count, transposed(matrix_of(product_gradient, 3 * d)),
                          matrix_of(r->y->value, d), adds, to, d);
}

Tensor *gated_recurrence(Tape *tape, Tensor *inputs, Parameter *recurrent, Segments steps) {
    const size_t d = recurrent->columns, rows = inputs->rows, last = rows - rows_before(steps);
    Tensor *y = tape_tensor(tape, rows, d, inputs->needs_gradient || recurrent->trainable);
    float *kept = y->needs_gradient ? tape_take(tape, rows * 4 * d, sizeof *kept) : NULL;
    float *products = tape_take(tape, last * 3 * d, sizeof *products);
    for (size_t t = 0; t < steps.count; t++) {
        const size_t row = steps.offsets[t], before = sequences_before(steps, t);
        const float *h_before = y->value + (row - before) * d;
        if (before)
            tape->backend->matmul(before, 3 * d, d, matrix_of(h_before, d),
                                  transposed(parameter_matrix(recurrent)), 0, products, 3 * d);
        tape->backend->sequences->recurrent_step(
            &(RecurrentStep){segments_length(steps, t), before, d, inputs->value + row * 3 * d, products,
                             h_before, y->value + row * d, kept ? kept + row * 4 * d : NULL});
    }
    tape_record(tape, y, recurrence_backward,
                TAPE_CONTEXT(tape, Recurrence, inputs, y, recurrent, steps, kept));
    return y;
}

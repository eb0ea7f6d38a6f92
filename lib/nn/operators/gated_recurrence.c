#include "nn/operators/operators.h"

/* One step of all sequences at a time: their rows of a step stand `length` rows apart, which is only a stride
 * to the matrix product. */
typedef struct Recurrence {
    Tensor *inputs, *y;
    Parameter *recurrent;
    size_t length, sequences;
    float *kept; /* what the kernel keeps for backward, [rows, 4·D] */
} Recurrence;

/* The products were those of the states before: those of the rows, shifted down by one in each sequence. */
static void weight_backward(Tape *tape, const Recurrence *r, const float *product_gradient) {
    const size_t d = r->y->columns, rows = r->y->rows, sequence = r->length * d;
    float *before = tape_take(tape, rows * d, sizeof *before);
    tape->backend->memory->fill(rows * d, 0, before);
    tape->backend->columns->copy(r->sequences, sequence - d, r->y->value, sequence, before + d, sequence);
    float adds, *to = parameter_gradient_target(r->recurrent, &adds);
    tape->backend->matmul(3 * d, d, rows, transposed(matrix_of(product_gradient, 3 * d)),
                          matrix_of(before, d), adds, to, d);
}

static float *input_gradient(Tape *tape, const Recurrence *r) {
    if (r->inputs->needs_gradient) return tape_gradient(tape, r->inputs);
    const size_t count = r->inputs->rows * r->inputs->columns;
    float *ignored = tape_take(tape, count, sizeof *ignored);
    tape->backend->memory->fill(count, 0, ignored);
    return ignored;
}

static void recurrence_backward(Tape *tape, void *context) {
    const Recurrence *r = context;
    const size_t d = r->y->columns, length = r->length, sequences = r->sequences;
    RecurrentStepBackward step = {.sequences = sequences,
                                  .length = length,
                                  .width = d,
                                  .h = r->y->value,
                                  .kept = r->kept,
                                  .dy = r->y->gradient,
                                  .input_gradient = input_gradient(tape, r),
                                  .product_gradient = tape_take(tape, r->y->rows * 3 * d, sizeof(float)),
                                  .carried = tape_take(tape, sequences * d, sizeof(float))};
    tape->backend->memory->fill(sequences * d, 0, step.carried);
    for (size_t t = length; t-- > 0;) {
        step.t = t;
        tape->backend->sequences->recurrent_step_backward(&step);
        if (t)
            tape->backend->matmul(sequences, d, 3 * d,
                                  matrix_of(step.product_gradient + t * 3 * d, length * 3 * d),
                                  parameter_matrix(r->recurrent), 1, step.carried, d);
    }
    if (r->recurrent->trainable) weight_backward(tape, r, step.product_gradient);
}

Tensor *gated_recurrence(Tape *tape, Tensor *inputs, Parameter *recurrent, size_t length) {
    const size_t d = recurrent->columns, rows = inputs->rows, sequences = rows / length;
    Tensor *y = tape_tensor(tape, rows, d, inputs->needs_gradient || recurrent->trainable);
    float *kept = y->needs_gradient ? tape_take(tape, rows * 4 * d, sizeof *kept) : NULL;
    float *products = tape_take(tape, sequences * 3 * d, sizeof *products);
    for (size_t t = 0; t < length; t++) {
        if (t)
            tape->backend->matmul(sequences, 3 * d, d, matrix_of(y->value + (t - 1) * d, length * d),
                                  transposed(parameter_matrix(recurrent)), 0, products, 3 * d);
        tape->backend->sequences->recurrent_step(
            &(RecurrentStep){sequences, length, d, t, inputs->value, products, y->value, kept});
    }
    tape_record(tape, y, recurrence_backward,
                TAPE_CONTEXT(tape, Recurrence, inputs, y, recurrent, length, sequences, kept));
    return y;
}

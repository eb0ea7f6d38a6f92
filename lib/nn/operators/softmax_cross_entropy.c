#include "nn/operators/operators.h"
#include "nn/operators/row_loss.h"

typedef struct SoftmaxCrossEntropy {
    Tensor *logits, *loss;
    float *gradient; /* of the logits, but for the loss's own */
} SoftmaxCrossEntropy;

static void softmax_cross_entropy_backward(Tape *tape, void *context) {
    const SoftmaxCrossEntropy *entropy = context;
    pass_loss_gradient(tape, entropy->loss, entropy->gradient, entropy->logits);
}

Tensor *softmax_cross_entropy(Tape *tape, Tensor *logits, const uint32_t *classes) {
    const size_t rows = logits->rows, columns = logits->columns;
    Tensor *loss = tape_tensor(tape, 1, 1, logits->needs_gradient);
    float *gradient = tape_take(tape, rows * columns, sizeof *gradient);
    double *losses = tape_take(tape, rows, sizeof *losses);
    tape->backend->memory->copy(rows * columns * sizeof *gradient, logits->value, gradient);
    tape->backend->losses->softmax(rows, columns, 1.0f / (float)rows, tape_upload_rows(tape, classes, rows),
                                   gradient, losses);
    tape->backend->losses->mean(rows, losses, loss->value);
    tape_record(tape, loss, softmax_cross_entropy_backward,
                TAPE_CONTEXT(tape, SoftmaxCrossEntropy, logits, loss, gradient));
    return loss;
}

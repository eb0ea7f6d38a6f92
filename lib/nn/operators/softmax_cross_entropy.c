#include "nn/operators/kernels.h"
#include "nn/operators/operators.h"
#include "nn/softmax.h"

typedef struct SoftmaxCrossEntropy {
    Tensor *logits, *loss;
    float *gradient; /* of the logits, but for the loss's own */
} SoftmaxCrossEntropy;

static void softmax_cross_entropy_backward(Tape *tape, void *context) {
    const SoftmaxCrossEntropy *entropy = context;
    const size_t count = entropy->logits->rows * entropy->logits->columns;
    const float factor = *entropy->loss->gradient;
    float *to = tape_gradient(tape, entropy->logits);
#pragma omp parallel for simd schedule(static) if (count > PARALLEL_ELEMENTS)
    for (size_t i = 0; i < count; i++)
        to[i] += factor * entropy->gradient[i];
}

static double row_loss(const float *logits, size_t classes, uint32_t class, size_t rows, float *gradient) {
    memcpy(gradient, logits, classes * sizeof *gradient);
    const double log_total = softmax_in_place(gradient, classes);
    gradient[class] -= 1;
    for (size_t c = 0; c < classes; c++)
        gradient[c] /= (float)rows;
    return log_total - (double)logits[class];
}

Tensor *softmax_cross_entropy(Tape *tape, Tensor *logits, const uint32_t *classes) {
    const size_t rows = logits->rows, columns = logits->columns;
    Tensor *loss = tape_tensor(tape, 1, 1, logits->needs_gradient);
    SoftmaxCrossEntropy *entropy = TAPE_CONTEXT(tape, SoftmaxCrossEntropy, logits, loss,
                                                arena_take(tape->arena, rows * columns, sizeof(float)));
    double total = 0;
    for (size_t i = 0; i < rows; i++)
        total +=
            row_loss(logits->value + i * columns, columns, classes[i], rows, entropy->gradient + i * columns);
    *loss->value = rows ? (float)(total / (double)rows) : 0;
    tape_record(tape, loss, softmax_cross_entropy_backward, entropy);
    return loss;
}

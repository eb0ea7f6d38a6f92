#include "nn/operators/kernels.h"
#include "nn/operators/operators.h"
#include "nn/vector_math.h"

/* One step of all sequences at a time: their rows of a step stand `length` rows apart, which is only a stride
 * to the matrix product. With i the inputs, g = recurrent · h the products of a step:
 *     r = σ(i_r + g_r), z = σ(i_z + g_z), n = tanh(i_n + r g_n), h' = (1 − z) n + z h. */

typedef struct Recurrence {
    Tensor *inputs, *y;
    Parameter *recurrent;
    size_t length, sequences;
    float *kept; /* [rows, 4·D]: r, z, n and g_n; NULL without backward */
} Recurrence;

static void step_forward(const Recurrence *recurrence, size_t row, bool first, const float *products) {
    const size_t d = recurrence->y->columns;
    const float *input = recurrence->inputs->value + row * 3 * d;
    float *h = recurrence->y->value + row * d,
          *kept = recurrence->kept ? recurrence->kept + row * 4 * d : NULL;
    const float *before = first ? NULL : h - d;
#pragma omp simd
    for (size_t j = 0; j < d; j++) {
        const float product = first ? 0 : products[2 * d + j];
        const float r = vector_sigmoid(input[j] + (first ? 0 : products[j]));
        const float z = vector_sigmoid(input[d + j] + (first ? 0 : products[d + j]));
        const float n = vector_tanh(input[2 * d + j] + r * product);
        h[j] = (1 - z) * n + (first ? 0 : z * before[j]);
        if (kept) kept[j] = r, kept[d + j] = z, kept[2 * d + j] = n, kept[3 * d + j] = product;
    }
}

/* `carried` is the gradient of h' that later steps left, and becomes the part of h's that does not go through
 * the products. */
static void step_backward(const Recurrence *recurrence, size_t row, bool first, float *input_gradient,
                          float *product_gradient, float *carried) {
    const size_t d = recurrence->y->columns;
    const float *kept = recurrence->kept + row * 4 * d, *dy = recurrence->y->gradient + row * d;
    const float *before = first ? NULL : recurrence->y->value + (row - 1) * d;
    float *di = input_gradient + row * 3 * d, *dg = product_gradient + row * 3 * d;
#pragma omp simd
    for (size_t j = 0; j < d; j++) {
        const float r = kept[j], z = kept[d + j], n = kept[2 * d + j], product = kept[3 * d + j];
        const float dh = carried[j] + dy[j];
        const float dz = dh * ((first ? 0 : before[j]) - n) * z * (1 - z);
        const float dn = dh * (1 - z) * (1 - n * n);
        const float dr = dn * product * r * (1 - r);
        dg[j] = dr, dg[d + j] = dz, dg[2 * d + j] = dn * r;
        di[j] += dr, di[d + j] += dz, di[2 * d + j] += dn;
        carried[j] = dh * z;
    }
}

static void weight_backward(Tape *tape, const Recurrence *recurrence, const float *product_gradient) {
    const size_t d = recurrence->y->columns, rows = recurrence->y->rows;
    float *before = arena_take(tape->arena, rows * d, sizeof *before);
#pragma omp parallel for schedule(static) if (rows * d > PARALLEL_ELEMENTS)
    for (size_t row = 0; row < rows; row++) {
        if (row % recurrence->length)
            memcpy(before + row * d, recurrence->y->value + (row - 1) * d, d * sizeof *before);
        else
            memset(before + row * d, 0, d * sizeof *before);
    }
    tape->backend->matmul(3 * d, d, rows, transposed(matrix_of(product_gradient, 3 * d)),
                          matrix_of(before, d), 1, recurrence->recurrent->gradient, d);
    recurrence->recurrent->touched = true;
}

static void recurrence_backward(Tape *tape, void *context) {
    const Recurrence *recurrence = context;
    const size_t d = recurrence->y->columns, length = recurrence->length, sequences = recurrence->sequences;
    float *input_gradient = recurrence->inputs->needs_gradient
                                ? tape_gradient(tape, recurrence->inputs)
                                : arena_take_zeroed(tape->arena, recurrence->y->rows * 3 * d, sizeof(float));
    float *product_gradient = arena_take(tape->arena, recurrence->y->rows * 3 * d, sizeof(float));
    float *carried = arena_take_zeroed(tape->arena, sequences * d, sizeof(float));
    for (size_t t = length; t-- > 0;) {
#pragma omp parallel for schedule(static) if (sequences * d > PARALLEL_ELEMENTS / 4)
        for (size_t s = 0; s < sequences; s++)
            step_backward(recurrence, s * length + t, t == 0, input_gradient, product_gradient,
                          carried + s * d);
        if (t)
            tape->backend->matmul(sequences, d, 3 * d,
                                  matrix_of(product_gradient + t * 3 * d, length * 3 * d),
                                  parameter_matrix(recurrence->recurrent), 1, carried, d);
    }
    if (recurrence->recurrent->trainable) weight_backward(tape, recurrence, product_gradient);
}

Tensor *gated_recurrence(Tape *tape, Tensor *inputs, Parameter *recurrent, size_t length) {
    const size_t d = recurrent->columns, rows = inputs->rows, sequences = rows / length;
    Tensor *y = tape_tensor(tape, rows, d, inputs->needs_gradient || recurrent->trainable);
    Recurrence *recurrence =
        TAPE_CONTEXT(tape, Recurrence, inputs, y, recurrent, length, sequences,
                     y->needs_gradient ? arena_take(tape->arena, rows * 4 * d, sizeof(float)) : NULL);
    float *products = arena_take(tape->arena, sequences * 3 * d, sizeof(float));
    for (size_t t = 0; t < length; t++) {
        if (t)
            tape->backend->matmul(sequences, 3 * d, d, matrix_of(y->value + (t - 1) * d, length * d),
                                  transposed(parameter_matrix(recurrent)), 0, products, 3 * d);
#pragma omp parallel for schedule(static) if (sequences * d > PARALLEL_ELEMENTS / 4)
        for (size_t s = 0; s < sequences; s++)
            step_forward(recurrence, s * length + t, t == 0, products + s * 3 * d);
    }
    tape_record(tape, y, recurrence_backward, recurrence);
    return y;
}

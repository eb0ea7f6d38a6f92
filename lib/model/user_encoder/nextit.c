/* NextItNet (Yuan et al. 2019): residual blocks of causal convolutions whose dilation grows. It has no
 * dropout. */
#include "core/memory.h"
#include "model/transformer_block.h"
#include "model/user_encoder/packed_rows.h"

#include <stdio.h>

enum { KERNEL = 3 };
#define EPSILON 1e-8

static const size_t dilations[] = {1, 4}; /* of a block's two parts, which are numbered through */
enum { PARTS = sizeof dilations / sizeof *dilations };

typedef struct Convolution {
    Parameter *weight, *bias; /* [D, D, 1, KERNEL], [D] */
    NormLayer norm;
    size_t dilation;
} Convolution;

typedef struct Nextit {
    size_t part_count;
    struct ResidualPart {
        Convolution first, second;
    } parts[];
} Nextit;

static Convolution create_convolution(ParameterSet *set, size_t width, size_t part, int number,
                                      size_t dilation) {
    char name[96];
    snprintf(name, sizeof name, "user_encoder.residual_blocks.%zu.conv%d.weight", part, number);
    return (Convolution){
        parameter_add_shaped(set, GROUP_REST, INITIAL_UNIFORM, 4, (uint64_t[]){width, width, 1, KERNEL},
                             name),
        parameter_add(set, GROUP_REST, INITIAL_ZERO, width, 0, "user_encoder.residual_blocks.%zu.conv%d.bias",
                      part, number),
        norm_layer_create(set, GROUP_REST, width, "user_encoder.residual_blocks.%zu.ln%d", part, number),
        dilation};
}

static void *create(ParameterSet *set, const Settings *settings) {
    const size_t count = PARTS * (size_t)settings->user_blocks, width = (size_t)settings->dim;
    Nextit *nextit = memory_need(1, sizeof *nextit + count * sizeof *nextit->parts);
    nextit->part_count = count;
    for (size_t i = 0; i < count; i++) {
        nextit->parts[i].first = create_convolution(set, width, i, 1, dilations[i % PARTS]);
        nextit->parts[i].second = create_convolution(set, width, i, 2, 2 * dilations[i % PARTS]);
    }
    return nextit;
}

static Tensor *convolve(Tape *tape, const Convolution *convolution, Tensor *x, Segments steps) {
    x = causal_windows(tape, x, steps, KERNEL, convolution->dilation);
    x = linear(tape, x, convolution->weight, convolution->bias, ACTIVATION_NONE);
    return relu(tape, layer_norm(tape, x, convolution->norm.weight, convolution->norm.bias, EPSILON));
}

static Tensor *forward(const void *module, Tape *tape, Tensor *items, const UserRows *rows,
                       double dropout_rate) {
    (void)dropout_rate;
    const Nextit *nextit = module;
    const PackedRows packed = packed_rows_create(tape, rows, true);
    Tensor *x = packed_rows_gather(tape, items, &packed);
    for (size_t i = 0; i < nextit->part_count; i++) {
        Tensor *y = convolve(tape, &nextit->parts[i].first, x, packed.steps);
        x = residual_add(tape, x, convolve(tape, &nextit->parts[i].second, y, packed.steps), 0);
    }
    return packed_rows_select(tape, x, &packed, rows);
}

const UserEncoderKind user_encoder_nextit = {
    .name = "nextit", .sees_padding = true, .create = create, .forward = forward};

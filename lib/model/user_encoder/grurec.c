/* GRU4Rec (Hidasi et al. 2016): gated recurrent layers over the item vectors, from the padding on. */
#include "core/memory.h"
#include "model/user_encoder/packed_rows.h"

typedef struct Grurec {
    size_t layer_count;
    struct GruLayer {
        Parameter *input, *recurrent; /* [3·D, D] */
    } layers[];
} Grurec;

static void *create(ParameterSet *set, const Settings *settings) {
    const size_t count = (size_t)settings->user_blocks, width = (size_t)settings->dim;
    Grurec *grurec = memory_need(1, sizeof *grurec + count * sizeof *grurec->layers);
    grurec->layer_count = count;
    for (size_t i = 0; i < count; i++) {
        const InitialValue initial = i ? INITIAL_UNIFORM : INITIAL_XAVIER_UNIFORM;
        grurec->layers[i].input = parameter_add(set, GROUP_REST, initial, 3 * width, width,
                                                "user_encoder.gru_layers.weight_ih_l%zu", i);
        grurec->layers[i].recurrent = parameter_add(set, GROUP_REST, initial, 3 * width, width,
                                                    "user_encoder.gru_layers.weight_hh_l%zu", i);
    }
    return grurec;
}

static Tensor *forward(const void *module, Tape *tape, Tensor *items, const UserRows *rows,
                       double dropout_rate) {
    const Grurec *grurec = module;
    /* Where dropout falls on it, padding is not the same for all. */
    const PackedRows packed = packed_rows_create(tape, rows, dropout_rate <= 0 || !tape->recording);
    Tensor *x = dropout(tape, packed_rows_gather(tape, items, &packed), dropout_rate);
    for (size_t i = 0; i < grurec->layer_count; i++) {
        Tensor *inputs = linear(tape, x, grurec->layers[i].input, NULL, ACTIVATION_NONE);
        x = gated_recurrence(tape, inputs, grurec->layers[i].recurrent, packed.steps);
    }
    return packed_rows_select(tape, x, &packed, rows);
}

const UserEncoderKind user_encoder_grurec = {
    .name = "grurec", .sees_padding = true, .create = create, .forward = forward};

/* GRU4Rec (Hidasi et al. 2016): gated recurrent layers over the item vectors, from the padding on. */
#include "core/memory.h"
#include "model/user_encoder/padded_rows.h"

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
    Tensor *x = dropout(tape, padded_rows_gather(tape, items, rows), dropout_rate);
    for (size_t i = 0; i < grurec->layer_count; i++) {
        Tensor *inputs = linear(tape, x, grurec->layers[i].input, NULL, ACTIVATION_NONE);
        x = gated_recurrence(tape, inputs, grurec->layers[i].recurrent, rows->max_seq_len);
    }
    return padded_rows_select(tape, x, rows);
}

const UserEncoderKind user_encoder_grurec = {
    .name = "grurec", .sees_padding = true, .create = create, .forward = forward};

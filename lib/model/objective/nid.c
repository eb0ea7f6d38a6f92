/* NID (PMMRec): which positions of a corrupted row are as they were, shuffled or replaced. */
#include "core/memory.h"
#include "model/objective/objective.h"
#include "model/transformer_block.h"

enum { CLASSES = 3 };

static void *create(ParameterSet *set, const Settings *settings) {
    LinearLayer *layer = memory_need(1, sizeof *layer);
    *layer = linear_layer_create(set, GROUP_REST, INITIAL_XAVIER_NORMAL, CLASSES, (size_t)settings->dim, true,
                                 "objective.nid");
    return layer;
}

static Tensor *loss(const void *module, Tape *tape, const ObjectiveInput *input) {
    const LinearLayer *layer = module;
    const size_t own = input->corrupted_hidden->rows, all = objective_positions(input, own);
    if (!all) return NULL;
    Tensor *logits = linear(tape, input->corrupted_hidden, layer->weight, layer->bias, ACTIVATION_NONE);
    return objective_share(tape, softmax_cross_entropy(tape, logits, input->corruption), own, all);
}

const ObjectiveKind objective_nid = {.name = "nid", .needs_corruption = true, .create = create, .loss = loss};

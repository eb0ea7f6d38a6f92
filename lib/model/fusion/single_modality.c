/* The towers of one modality: the mean of its projected tokens. */
#include "core/memory.h"
#include "model/fusion/fusion.h"

static void *create(ParameterSet *set, const Settings *settings) {
    (void)set, (void)settings;
    return memory_need(1, 1);
}

static Tensor *text_forward(const void *module, Tape *tape, const ItemTokens *tokens, double dropout_rate) {
    (void)module, (void)dropout_rate;
    return segment_mean(tape, tokens->text, tokens->text_segments);
}

static Tensor *image_forward(const void *module, Tape *tape, const ItemTokens *tokens, double dropout_rate) {
    (void)module, (void)dropout_rate;
    return segment_mean(tape, tokens->image, tokens->image_segments);
}

const FusionKind fusion_text_only = {
    .name = "text-only", .uses_text = true, .create = create, .forward = text_forward};
const FusionKind fusion_image_only = {
    .name = "image-only", .uses_image = true, .create = create, .forward = image_forward};

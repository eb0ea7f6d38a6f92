/* sum, concat, film and gated: from the mean x of an item's text tokens and the mean y of its image tokens.
 */
#include "core/memory.h"
#include "model/fusion/fusion.h"
#include "model/transformer_block.h"

typedef struct MeanFusion {
    LinearLayer text, image, output; /* those that the kind has */
} MeanFusion;

static LinearLayer layer(ParameterSet *set, size_t out, size_t in, const char *name) {
    return linear_layer_create(set, GROUP_REST, INITIAL_UNIFORM, out, in, true, "fusion_module.%s", name);
}

static Tensor *apply(Tape *tape, LinearLayer linear_, Tensor *x, Activation activation) {
    return linear(tape, x, linear_.weight, linear_.bias, activation);
}

static Tensor *text_mean(Tape *tape, const ItemTokens *tokens) {
    return segment_mean(tape, tokens->text, tokens->text_segments);
}

static Tensor *image_mean(Tape *tape, const ItemTokens *tokens) {
    return segment_mean(tape, tokens->image, tokens->image_segments);
}

static void *sum_create(ParameterSet *set, const Settings *settings) {
    const size_t width = (size_t)settings->dim;
    MeanFusion *fusion = memory_need(1, sizeof *fusion);
    fusion->text = layer(set, width, width, "fc_x");
    fusion->image = layer(set, width, width, "fc_y");
    return fusion;
}

/* A x + B y. */
static Tensor *sum_forward(const void *module, Tape *tape, const ItemTokens *tokens, double dropout_rate) {
    (void)dropout_rate;
    const MeanFusion *fusion = module;
    Tensor *x = apply(tape, fusion->text, text_mean(tape, tokens), ACTIVATION_NONE);
    Tensor *y = apply(tape, fusion->image, image_mean(tape, tokens), ACTIVATION_NONE);
    return residual_add(tape, x, y, 0);
}

static void *concat_create(ParameterSet *set, const Settings *settings) {
    const size_t width = (size_t)settings->dim;
    MeanFusion *fusion = memory_need(1, sizeof *fusion);
    fusion->output = layer(set, width, 2 * width, "fc_out");
    return fusion;
}

/* Linear([x; y]). */
static Tensor *concat_forward(const void *module, Tape *tape, const ItemTokens *tokens, double dropout_rate) {
    (void)dropout_rate;
    const MeanFusion *fusion = module;
    Tensor *both = join_columns(tape, text_mean(tape, tokens), image_mean(tape, tokens));
    return apply(tape, fusion->output, both, ACTIVATION_NONE);
}

static void *film_create(ParameterSet *set, const Settings *settings) {
    const size_t width = (size_t)settings->dim;
    MeanFusion *fusion = memory_need(1, sizeof *fusion);
    fusion->text = layer(set, 2 * width, width, "fc");
    fusion->output = layer(set, width, width, "fc_out");
    return fusion;
}

/* out(γ ⊙ y + β) with [γ; β] = Linear(x) (Perez et al. 2018). */
static Tensor *film_forward(const void *module, Tape *tape, const ItemTokens *tokens, double dropout_rate) {
    (void)dropout_rate;
    const MeanFusion *fusion = module;
    Tensor *both = apply(tape, fusion->text, text_mean(tape, tokens), ACTIVATION_NONE);
    const size_t width = both->columns / 2;
    Tensor *scaled = multiply(tape, take_columns(tape, both, 0, width), image_mean(tape, tokens));
    Tensor *moved = residual_add(tape, scaled, take_columns(tape, both, width, width), 0);
    return apply(tape, fusion->output, moved, ACTIVATION_NONE);
}

static void *gated_create(ParameterSet *set, const Settings *settings) {
    MeanFusion *fusion = sum_create(set, settings);
    fusion->output = layer(set, (size_t)settings->dim, (size_t)settings->dim, "fc_out");
    return fusion;
}

/* out(σ(A x) ⊙ B y). */
static Tensor *gated_forward(const void *module, Tape *tape, const ItemTokens *tokens, double dropout_rate) {
    (void)dropout_rate;
    const MeanFusion *fusion = module;
    Tensor *gate = apply(tape, fusion->text, text_mean(tape, tokens), ACTIVATION_SIGMOID);
    Tensor *y = apply(tape, fusion->image, image_mean(tape, tokens), ACTIVATION_NONE);
    return apply(tape, fusion->output, multiply(tape, gate, y), ACTIVATION_NONE);
}

#define KIND(kind)                                                                                           \
    const FusionKind fusion_##kind = {.name = #kind,                                                         \
                                      .uses_text = true,                                                     \
                                      .uses_image = true,                                                    \
                                      .create = kind##_create,                                               \
                                      .forward = kind##_forward}
KIND(sum);
KIND(concat);
KIND(film);
KIND(gated);

#include "convert/model_inference.h"

#include <stdio.h>

static const Array *find(const TensorChoices *choices, const char *name) {
    const size_t number = name_table_find(choices->taken_names, name, strlen(name));
    return number == SIZE_MAX ? NULL : choices->taken[number].array;
}

static bool has_part(const TensorChoices *choices, const char *part) {
    for (size_t i = 0; i < choices->taken_count; i++)
        if (!strncmp(choices->taken[i].name, part, strlen(part))) return true;
    return false;
}

/* How many of before0after, before1after, … there are. */
static size_t count_layers(const TensorChoices *choices, const char *before, const char *after) {
    for (size_t i = 0;; i++) {
        char name[160];
        snprintf(name, sizeof name, "%s%zu%s", before, i, after);
        if (!find(choices, name)) return i;
    }
}

static void set_text(json_t *settings, const char *key, const char *text) {
    if (text) json_object_set_new(settings, key, json_string(text));
}

static void set_size(json_t *settings, const char *key, uint64_t size) {
    if (size) json_object_set_new(settings, key, json_integer((json_int_t)size));
}

static void set_size_of(json_t *settings, const char *key, const Array *array, int dimension) {
    if (array && dimension < array->dimensions) set_size(settings, key, array->shape[dimension]);
}

static void infer_tower(const TensorChoices *choices, json_t *settings) {
    const bool text = has_part(choices, "text_encoder."), image = has_part(choices, "cv_encoder.");
    set_text(settings, "tower",
             text && image                        ? "modal"
             : text                               ? "text-only"
             : image                              ? "image-only"
             : find(choices, "id_encoder.weight") ? "id"
                                                  : NULL);
    static const char *const widths[] = {"text_encoder.text_proj.weight", "cv_encoder.cv_proj.weight"};
    for (size_t i = 0; i < 2; i++)
        set_size_of(settings, "dim", find(choices, widths[i]), 0);
    set_size_of(settings, "dim", find(choices, "id_encoder.weight"), 1);
}

static void infer_fusion(const TensorChoices *choices, json_t *settings) {
    static const struct {
        const char *fusion, *before, *counted, *inner;
    } layered[] = {
        {"merge_attn", "fusion_module.MergeAtt_layers.", ".inter.dense.weight",
         "fusion_module.MergeAtt_layers.0.inter.dense.weight"},
        {"co_att", "fusion_module.CoAtt_layers.", ".lang_inter.dense.weight",
         "fusion_module.CoAtt_layers.0.lang_inter.dense.weight"},
    };
    for (size_t i = 0; i < 2; i++) {
        const size_t layers = count_layers(choices, layered[i].before, layered[i].counted);
        if (!layers) continue;
        set_text(settings, "fusion", layered[i].fusion);
        set_size(settings, "fusion-layers", layers);
        set_size_of(settings, "fusion-intermediate", find(choices, layered[i].inner), 0);
        return;
    }
    const bool fc = find(choices, "fusion_module.fc.weight"),
               fc_x = find(choices, "fusion_module.fc_x.weight");
    const bool fc_out = find(choices, "fusion_module.fc_out.weight");
    set_text(settings, "fusion",
             fc && fc_out     ? "film"
             : fc_x && fc_out ? "gated"
             : fc_x           ? "sum"
             : fc_out         ? "concat"
                              : NULL);
}

static void infer_user_encoder(const TensorChoices *choices, json_t *settings) {
    const Array *positions = find(choices, "user_encoder.transformer_encoder.position_embedding.weight");
    const Array *recurrent = find(choices, "user_encoder.gru_layers.weight_hh_l0");
    const Array *convolution = find(choices, "user_encoder.residual_blocks.0.conv1.weight");
    if (positions) {
        set_text(settings, "user-encoder", "sasrec");
        set_size(settings, "user-blocks",
                 count_layers(choices, "user_encoder.transformer_encoder.transformer_blocks.",
                              ".feed_forward.w_1.weight"));
        set_size_of(settings, "max-seq-len", positions, 0);
        set_size_of(settings, "dim", positions, 1);
    } else if (recurrent) {
        set_text(settings, "user-encoder", "grurec");
        set_size(settings, "user-blocks", count_layers(choices, "user_encoder.gru_layers.weight_hh_l", ""));
        set_size_of(settings, "dim", recurrent, 1);
    } else if (convolution) {
        set_text(settings, "user-encoder", "nextit");
        /* A block of NextItNet is two residual blocks, with dilations 1 and 4. */
        set_size(settings, "user-blocks",
                 count_layers(choices, "user_encoder.residual_blocks.", ".conv1.weight") / 2);
        set_size_of(settings, "dim", convolution, 0);
    }
}

json_t *model_settings_infer(const TensorChoices *choices) {
    json_t *settings = json_object();
    infer_tower(choices, settings);
    infer_fusion(choices, settings);
    infer_user_encoder(choices, settings);
    return settings;
}

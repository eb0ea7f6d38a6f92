#include "train/side.h"

const SideKind side_kinds[MODALITIES] = {
    [MODALITY_TEXT] = {.modality = MODALITY_TEXT,
                       .name = "text",
                       .raw = "tokens",
                       .encoder_option = "text-encoder",
                       .config_option = "text-config",
                       .prefix = "text_encoder.bert_model.",
                       .projection = "text_encoder.text_proj.weight",
                       .raw_kind = FEATURE_TOKENS,
                       .group = GROUP_TEXT},
    [MODALITY_IMAGE] = {.modality = MODALITY_IMAGE,
                        .name = "image",
                        .raw = "pixels",
                        .encoder_option = "image-encoder",
                        .config_option = "image-config",
                        .prefix = "cv_encoder.image_net.",
                        .projection = "cv_encoder.cv_proj.weight",
                        .raw_kind = FEATURE_PIXELS,
                        .group = GROUP_IMAGE},
};

size_t side_width(const Side *side) {
    if (!side->store) return 0;
    return side->store->kind == FEATURE_HIDDEN ? side->store->width : side->encoder.width;
}

void side_free(Side *side) {
    if (side->store) feature_store_free(side->store);
    free(side->store);
    json_decref(side->encoder_json);
    stream_reader_close(side->weights);
    json_decref(side->weights_content);
}

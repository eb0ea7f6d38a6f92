#include "model/recommender.h"

#include "core/memory.h"
#include "model/item_names.h"

#include <string.h>

const char *recommender_encoder_prefix(const EncoderConfig *config) {
    return encoder_config_is_text(config)        ? "text_encoder.bert_model."
           : config->architecture == ENCODER_VIT ? "cv_encoder.image_net."
                                                 : "cv_encoder.image_net.vision_model.";
}

/* The fusion of a tower: a tower of one modality is a fusion of that modality alone. */
static const FusionKind *fusion_of_tower(const Settings *settings, Error *error) {
    const Tower tower = settings->tower;
    return fusion_find(tower == TOWER_MODAL ? settings->fusion : tower_name(tower), error);
}

bool recommender_modalities(const Settings *settings, bool reads[MODALITIES], Error *error) {
    reads[MODALITY_TEXT] = reads[MODALITY_IMAGE] = false;
    if (settings->tower == TOWER_ID || settings->tower == TOWER_VECTORS) return true;
    const FusionKind *fusion = fusion_of_tower(settings, error);
    if (!fusion) return false;
    reads[MODALITY_TEXT] = fusion->uses_text;
    reads[MODALITY_IMAGE] = fusion->uses_image;
    return true;
}

static bool create_item_towers(Recommender *recommender, const RecommenderInputs *inputs, Error *error) {
    const Settings *settings = &recommender->settings;
    ParameterSet *set = recommender->parameters;
    const size_t dim = (size_t)settings->dim;
    if (settings->tower == TOWER_ID) {
        recommender->item_table = parameter_add(set, GROUP_REST, INITIAL_XAVIER_NORMAL, inputs->id_items + 1,
                                                dim, ITEM_TABLE_TENSOR);
        return true;
    }
    const FusionKind *fusion = fusion_of_tower(settings, error);
    if (!fusion || (fusion->check && !fusion->check(settings, error))) return false;
    if (fusion->uses_text && !inputs->text_width)
        return error_set(error, "the tower %s reads text; give it with --text", tower_name(settings->tower));
    if (fusion->uses_image && !inputs->image_width)
        return error_set(error, "the tower %s reads images; give them with --image",
                         tower_name(settings->tower));
    if (fusion->uses_text) {
        if (inputs->text)
            recommender->text_encoder =
                encoder_create(set, inputs->text, recommender_encoder_prefix(inputs->text),
                               inputs->text_blocks, inputs->text->blocks);
        recommender->text_projection = linear_layer_create(
            set, GROUP_REST, INITIAL_NORMAL, dim, inputs->text_width, true, "text_encoder.text_proj");
    }
    if (fusion->uses_image) {
        if (inputs->image)
            recommender->image_encoder =
                encoder_create(set, inputs->image, recommender_encoder_prefix(inputs->image),
                               inputs->image_blocks, inputs->image->blocks);
        recommender->image_projection = linear_layer_create(set, GROUP_REST, INITIAL_NORMAL, dim,
                                                            inputs->image_width, true, "cv_encoder.cv_proj");
    }
    recommender->fusion = fusion;
    recommender->fusion_module = fusion->create(set, settings);
    return true;
}

static bool create_user_encoder(Recommender *recommender, Error *error) {
    const Settings *settings = &recommender->settings;
    const UserEncoderKind *kind = user_encoder_find(settings->user_encoder, error);
    if (!kind || (kind->check && !kind->check(settings, error))) return false;
    recommender->user_kind = kind;
    recommender->user_module = kind->create(recommender->parameters, settings);
    return true;
}

static bool create_objectives(Recommender *recommender, Error *error) {
    ObjectiveParts *objective = &recommender->objective;
    const Settings *settings = &recommender->settings;
    const bool both =
        recommender->fusion && recommender->fusion->uses_text && recommender->fusion->uses_image;
    if (!objective_parse(objective, settings->objective, error)) return false;
    for (size_t i = 0; i < objective->count; i++) {
        const ObjectiveKind *kind = objective->kinds[i];
        if (kind->needs_text_and_image && !both)
            return error_set(
                error, "the objective %s compares texts with images, but the tower %s does not have both",
                kind->name, tower_name(settings->tower));
        if (kind->create) recommender->objective_modules[i] = kind->create(recommender->parameters, settings);
    }
    return true;
}

Recommender *recommender_create(const Settings *settings, const RecommenderInputs *inputs, Error *error) {
    Recommender *recommender = memory_need(1, sizeof *recommender);
    recommender->settings = *settings;
    recommender->parameters = parameter_set_create();
    if ((!inputs->item_towers || create_item_towers(recommender, inputs, error)) &&
        (!inputs->user_encoder || create_user_encoder(recommender, error)) &&
        (!inputs->objectives || create_objectives(recommender, error)))
        return recommender;
    recommender_destroy(recommender);
    return NULL;
}

void recommender_destroy(Recommender *recommender) {
    if (!recommender) return;
    encoder_destroy(recommender->text_encoder);
    encoder_destroy(recommender->image_encoder);
    free(recommender->fusion_module);
    free(recommender->user_module);
    for (size_t i = 0; i < recommender->objective.count; i++)
        free(recommender->objective_modules[i]);
    parameter_set_destroy(recommender->parameters);
    free(recommender);
}

bool recommender_sees_padding(const Recommender *recommender) {
    return recommender->user_kind && recommender->user_kind->sees_padding;
}

/* The padding item has `rows` hidden states of zero. */
static Tensor *append_padding(Tape *tape, Tensor *hidden, Segments *segments, size_t rows) {
    size_t *offsets = arena_take(tape->arena, segments->count + 2, sizeof *offsets);
    memcpy(offsets, segments->offsets, (segments->count + 1) * sizeof *offsets);
    offsets[segments->count + 1] = offsets[segments->count] + rows;
    *segments = (Segments){segments->count + 1, offsets};
    return append_zero_rows(tape, hidden, rows);
}

static Tensor *text_tokens(const Recommender *recommender, Tape *tape, const ItemBatch *batch, bool padding,
                           Segments *segments) {
    const Encoder *encoder = recommender->text_encoder;
    const LinearLayer projection = recommender->text_projection;
    const double rate = recommender->settings.dropout;
    Tensor *hidden;
    *segments = batch->text_segments;
    if (batch->text_ids)
        hidden = encoder_embed_text(encoder, tape, batch->text_ids, *segments, rate);
    else
        hidden =
            tape_leaf(tape, batch->text_hidden, segments_rows(*segments), projection.weight->columns, false);
    if (encoder) hidden = encoder_run_blocks(encoder, tape, hidden, *segments, encoder->config.blocks, rate);
    if (padding) hidden = append_padding(tape, hidden, segments, recommender->fusion->padding_text_tokens);
    return linear(tape, hidden, projection.weight, projection.bias, ACTIVATION_NONE);
}

/* CLIP is trained without dropout. */
static Tensor *image_tokens(const Recommender *recommender, Tape *tape, const ItemBatch *batch, bool padding,
                            Segments *segments) {
    const Encoder *encoder = recommender->image_encoder;
    const LinearLayer projection = recommender->image_projection;
    Tensor *hidden;
    *segments = batch->image_segments;
    if (batch->pixels)
        hidden = encoder_embed_images(encoder, tape, batch->pixels, batch->count, segments, 0);
    else
        hidden =
            tape_leaf(tape, batch->image_hidden, segments_rows(*segments), projection.weight->columns, false);
    if (encoder) hidden = encoder_run_blocks(encoder, tape, hidden, *segments, encoder->config.blocks, 0);
    const size_t tokens = batch->pixels ? encoder_config_image_tokens(&encoder->config) : batch->image_tokens;
    if (padding) hidden = append_padding(tape, hidden, segments, tokens);
    return linear(tape, hidden, projection.weight, projection.bias, ACTIVATION_NONE);
}

/* Row 0 of the table is the padding item's. */
static Tensor *table_items(const Recommender *recommender, Tape *tape, const ItemBatch *batch, bool padding) {
    const size_t count = batch->count + padding;
    uint32_t *rows = arena_take(tape->arena, count, sizeof *rows);
    memcpy(rows, batch->numbers, batch->count * sizeof *rows);
    if (padding) rows[batch->count] = 0;
    return embedding_sum(tape, NULL, &(EmbeddingRows){recommender->item_table, rows, 0, 0}, 1, count);
}

Tensor *recommender_items(const Recommender *recommender, Tape *tape, const ItemBatch *batch, bool padding,
                          ItemTokens *tokens) {
    const FusionKind *fusion = recommender->fusion;
    *tokens = (ItemTokens){.items = batch->count + padding, .padding = padding};
    if (recommender->item_table) return table_items(recommender, tape, batch, padding);
    if (!fusion) {
        Tensor *vectors =
            tape_leaf(tape, batch->vectors, batch->count, (size_t)recommender->settings.dim, false);
        return padding ? append_zero_rows(tape, vectors, 1) : vectors;
    }
    if (fusion->uses_text)
        tokens->text = text_tokens(recommender, tape, batch, padding, &tokens->text_segments);
    if (fusion->uses_image)
        tokens->image = image_tokens(recommender, tape, batch, padding, &tokens->image_segments);
    return fusion->forward(recommender->fusion_module, tape, tokens, recommender->settings.dropout);
}

Tensor *recommender_users(const Recommender *recommender, Tape *tape, Tensor *items, const UserRows *rows) {
    return recommender->user_kind->forward(recommender->user_module, tape, items, rows,
                                           recommender->settings.dropout);
}

#include "model/settings.h"

#include "core/memory.h"

#include <math.h>
#include <string.h>

const Settings settings_default = {
    .tower = "modal",
    .fusion = "merge_attn",
    .user_encoder = "sasrec",
    .objective = "dap",
    .schedule = "constant",
    .dim = 768,
    .fusion_heads = 12,
    .fusion_intermediate = 3072,
    .fusion_layers = 1,
    .user_heads = 2,
    .user_blocks = 2,
    .max_seq_len = 20,
    .min_seq_len = 3,
    .epochs = 5,
    .batch_size = 32,
    .accumulate = 1,
    .schedule_gap = 1,
    .seed = 1,
    .lr = 1e-4,
    .text_lr = NAN,
    .image_lr = NAN,
    .weight_decay = 0.1,
    .dropout = 0.1,
    .temperature = 0.1,
    .shuffle_rate = 0.15,
    .replace_rate = 0.05,
    .device = "cpu",
    .dtype = "f32",
};

bool settings_read(Settings *settings, const json_t *config, Error *error) {
    static Settings target; /* the table below needs constant addresses */
    target = settings_default;
    Option options[] = {SETTINGS_OPTIONS(target), {0}};
    Program reader = {.name = "settings", .options = options};
    if (!options_inherit(&reader, config, error)) return error_prefix(error, "the model's settings: ");
    *settings = target;
    return true;
}

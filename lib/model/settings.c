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

/* A table of options needs constant addresses. */
static Settings bound;
static Option options[] = {SETTINGS_OPTIONS(bound), {0}};
static Program table = {.name = "settings", .options = options};

bool settings_read(Settings *settings, const json_t *config, Error *error) {
    bound = settings_default;
    if (!options_inherit(&table, config, error)) return error_prefix(error, "the model's settings: ");
    *settings = bound;
    return true;
}

json_t *settings_record(const Settings *settings) {
    bound = *settings;
    return options_record(&table);
}

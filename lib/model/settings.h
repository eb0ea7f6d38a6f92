/* All hyper-parameters of a model and its training. They come from options, a --config file or a model's
 * header, and stand in the header of every model that is written. */
#ifndef MODEL_SETTINGS_H
#define MODEL_SETTINGS_H

#include "core/options.h"

typedef struct Settings {
    const char *tower, *fusion, *user_encoder, *objective, *schedule, *text_config, *image_config;
    int64_t dim, fusion_heads, fusion_intermediate, fusion_layers, user_heads, user_blocks;
    int64_t max_seq_len, min_seq_len, epochs, batch_size, schedule_gap, patience, seed, accumulate;
    double lr, text_lr, image_lr, weight_decay, dropout, clip, temperature, shuffle_rate, replace_rate;
    const char *device, *dtype;
} Settings;

/* The defaults: the paper's, where it names them. */
extern const Settings settings_default;

/* The options that set `s`, a Settings with static storage, for a tool's table. */
#define SETTINGS_OPTIONS(s)                                                                                  \
    {.name = "tower",                                                                                        \
     .kind = OPTION_TEXT,                                                                                    \
     .value = &(s).tower,                                                                                    \
     .choices = "modal|text-only|image-only|id|vectors",                                                     \
     .setting = true,                                                                                        \
     .argument = "NAME",                                                                                     \
     .help = "modal, text-only, image-only, id"},                                                            \
        {.name = "fusion",                                                                                   \
         .kind = OPTION_TEXT,                                                                                \
         .value = &(s).fusion,                                                                               \
         .setting = true,                                                                                    \
         .argument = "NAME",                                                                                 \
         .help = "merge_attn, co_att, concat, film, gated, sum"},                                            \
        {.name = "user-encoder",                                                                             \
         .kind = OPTION_TEXT,                                                                                \
         .value = &(s).user_encoder,                                                                         \
         .setting = true,                                                                                    \
         .argument = "NAME",                                                                                 \
         .help = "sasrec, grurec, nextit"},                                                                  \
        {.name = "objective",                                                                                \
         .kind = OPTION_TEXT,                                                                                \
         .value = &(s).objective,                                                                            \
         .setting = true,                                                                                    \
         .argument = "LIST",                                                                                 \
         .help = "dap, nicl, ncl, icl, vcl, nid, rcl: a,b=WEIGHT,…"},                                        \
        {.name = "temperature",                                                                              \
         .kind = OPTION_REAL,                                                                                \
         .value = &(s).temperature,                                                                          \
         .minimum = 1e-3,                                                                                    \
         .maximum = 1e3,                                                                                     \
         .setting = true,                                                                                    \
         .argument = "T",                                                                                    \
         .help = "of nicl, vcl, icl, ncl and rcl"},                                                          \
        {.name = "shuffle-rate",                                                                             \
         .kind = OPTION_REAL,                                                                                \
         .value = &(s).shuffle_rate,                                                                         \
         .maximum = 1,                                                                                       \
         .setting = true,                                                                                    \
         .argument = "P",                                                                                    \
         .help = "inputs shuffled for nid and rcl"},                                                         \
        {.name = "replace-rate",                                                                             \
         .kind = OPTION_REAL,                                                                                \
         .value = &(s).replace_rate,                                                                         \
         .maximum = 1,                                                                                       \
         .setting = true,                                                                                    \
         .argument = "P",                                                                                    \
         .help = "inputs replaced for nid and rcl"},                                                         \
        {.name = "dim",                                                                                      \
         .kind = OPTION_INTEGER,                                                                             \
         .value = &(s).dim,                                                                                  \
         .minimum = 1,                                                                                       \
         .maximum = 65536,                                                                                   \
         .setting = true,                                                                                    \
         .argument = "D",                                                                                    \
         .help = "width of item vectors"},                                                                   \
        {.name = "fusion-heads",                                                                             \
         .kind = OPTION_INTEGER,                                                                             \
         .value = &(s).fusion_heads,                                                                         \
         .minimum = 1,                                                                                       \
         .maximum = 1024,                                                                                    \
         .setting = true,                                                                                    \
         .argument = "N",                                                                                    \
         .help = "attention heads of the fusion"},                                                           \
        {.name = "fusion-intermediate",                                                                      \
         .kind = OPTION_INTEGER,                                                                             \
         .value = &(s).fusion_intermediate,                                                                  \
         .minimum = 1,                                                                                       \
         .maximum = 262144,                                                                                  \
         .setting = true,                                                                                    \
         .argument = "N",                                                                                    \
         .help = "its feed-forward width"},                                                                  \
        {.name = "fusion-layers",                                                                            \
         .kind = OPTION_INTEGER,                                                                             \
         .value = &(s).fusion_layers,                                                                        \
         .minimum = 1,                                                                                       \
         .maximum = 64,                                                                                      \
         .setting = true,                                                                                    \
         .argument = "N",                                                                                    \
         .help = "its layers"},                                                                              \
        {.name = "user-heads",                                                                               \
         .kind = OPTION_INTEGER,                                                                             \
         .value = &(s).user_heads,                                                                           \
         .minimum = 1,                                                                                       \
         .maximum = 1024,                                                                                    \
         .setting = true,                                                                                    \
         .argument = "N",                                                                                    \
         .help = "attention heads of the user encoder"},                                                     \
        {.name = "user-blocks",                                                                              \
         .kind = OPTION_INTEGER,                                                                             \
         .value = &(s).user_blocks,                                                                          \
         .minimum = 1,                                                                                       \
         .maximum = 64,                                                                                      \
         .setting = true,                                                                                    \
         .argument = "N",                                                                                    \
         .help = "its blocks or layers"},                                                                    \
        {.name = "max-seq-len",                                                                              \
         .kind = OPTION_INTEGER,                                                                             \
         .value = &(s).max_seq_len,                                                                          \
         .minimum = 1,                                                                                       \
         .maximum = 65536,                                                                                   \
         .setting = true,                                                                                    \
         .argument = "L",                                                                                    \
         .help = "most inputs of a sequence"},                                                               \
        {.name = "min-seq-len",                                                                              \
         .kind = OPTION_INTEGER,                                                                             \
         .value = &(s).min_seq_len,                                                                          \
         .minimum = 3,                                                                                       \
         .maximum = 65536,                                                                                   \
         .setting = true,                                                                                    \
         .argument = "N",                                                                                    \
         .help = "users with fewer items are left out"},                                                     \
        {.name = "epochs",                                                                                   \
         .kind = OPTION_INTEGER,                                                                             \
         .value = &(s).epochs,                                                                               \
         .maximum = 1000000,                                                                                 \
         .setting = true,                                                                                    \
         .argument = "N",                                                                                    \
         .help = "passes over the users"},                                                                   \
        {.name = "batch-size",                                                                               \
         .kind = OPTION_INTEGER,                                                                             \
         .value = &(s).batch_size,                                                                           \
         .maximum = 10000000,                                                                                \
         .setting = true,                                                                                    \
         .argument = "B",                                                                                    \
         .help = "users in a batch; 0: all"},                                                                \
        {.name = "accumulate",                                                                               \
         .kind = OPTION_INTEGER,                                                                             \
         .value = &(s).accumulate,                                                                           \
         .minimum = 1,                                                                                       \
         .maximum = 65536,                                                                                   \
         .setting = true,                                                                                    \
         .argument = "N",                                                                                    \
         .help = "batches whose gradients make one step"},                                                   \
        {.name = "lr",                                                                                       \
         .kind = OPTION_REAL,                                                                                \
         .value = &(s).lr,                                                                                   \
         .maximum = 1e3,                                                                                     \
         .setting = true,                                                                                    \
         .argument = "R",                                                                                    \
         .help = "learning rate"},                                                                           \
        {.name = "text-lr",                                                                                  \
         .kind = OPTION_REAL,                                                                                \
         .value = &(s).text_lr,                                                                              \
         .maximum = 1e3,                                                                                     \
         .setting = true,                                                                                    \
         .argument = "R",                                                                                    \
         .help = "of the text encoder's blocks; without it: --lr"},                                          \
        {.name = "image-lr",                                                                                 \
         .kind = OPTION_REAL,                                                                                \
         .value = &(s).image_lr,                                                                             \
         .maximum = 1e3,                                                                                     \
         .setting = true,                                                                                    \
         .argument = "R",                                                                                    \
         .help = "of the image encoder's blocks; without it: --lr"},                                         \
        {.name = "text-config",                                                                              \
         .kind = OPTION_PATH,                                                                                \
         .value = &(s).text_config,                                                                          \
         .setting = true,                                                                                    \
         .argument = "FILE",                                                                                 \
         .help = "config.json of the text encoder in --init"},                                               \
        {.name = "image-config",                                                                             \
         .kind = OPTION_PATH,                                                                                \
         .value = &(s).image_config,                                                                         \
         .setting = true,                                                                                    \
         .argument = "FILE",                                                                                 \
         .help = "config.json of the image encoder in --init"},                                              \
        {.name = "weight-decay",                                                                             \
         .kind = OPTION_REAL,                                                                                \
         .value = &(s).weight_decay,                                                                         \
         .maximum = 1e3,                                                                                     \
         .setting = true,                                                                                    \
         .argument = "R",                                                                                    \
         .help = "outside the encoders' blocks"},                                                            \
        {.name = "dropout",                                                                                  \
         .kind = OPTION_REAL,                                                                                \
         .value = &(s).dropout,                                                                              \
         .maximum = 0.99,                                                                                    \
         .setting = true,                                                                                    \
         .argument = "P",                                                                                    \
         .help = "in fusion, user encoder and text blocks"},                                                 \
        {.name = "clip",                                                                                     \
         .kind = OPTION_REAL,                                                                                \
         .value = &(s).clip,                                                                                 \
         .maximum = 1e9,                                                                                     \
         .setting = true,                                                                                    \
         .argument = "NORM",                                                                                 \
         .help = "largest gradient norm; 0: no limit"},                                                      \
        {.name = "schedule",                                                                                 \
         .kind = OPTION_TEXT,                                                                                \
         .value = &(s).schedule,                                                                             \
         .choices = "step|cosine|linear|constant",                                                           \
         .setting = true,                                                                                    \
         .argument = "NAME",                                                                                 \
         .help = "step, cosine, linear, constant"},                                                          \
        {.name = "schedule-gap",                                                                             \
         .kind = OPTION_INTEGER,                                                                             \
         .value = &(s).schedule_gap,                                                                         \
         .minimum = 1,                                                                                       \
         .maximum = 1000000,                                                                                 \
         .setting = true,                                                                                    \
         .argument = "N",                                                                                    \
         .help = "epochs between the steps of step"},                                                        \
        {.name = "patience",                                                                                 \
         .kind = OPTION_INTEGER,                                                                             \
         .value = &(s).patience,                                                                             \
         .maximum = 1000000,                                                                                 \
         .setting = true,                                                                                    \
         .argument = "N",                                                                                    \
         .help = "stop after N epochs without a better one; 0: never"},                                      \
        {.name = "seed",                                                                                     \
         .kind = OPTION_INTEGER,                                                                             \
         .value = &(s).seed,                                                                                 \
         .maximum = 9e15,                                                                                    \
         .setting = true,                                                                                    \
         .argument = "S",                                                                                    \
         .help = "of initial values, order and dropout"},                                                    \
        {.name = "device",                                                                                   \
         .kind = OPTION_TEXT,                                                                                \
         .value = &(s).device,                                                                               \
         .choices = "cpu",                                                                                   \
         .setting = true,                                                                                    \
         .argument = "NAME",                                                                                 \
         .help = "where to compute: cpu"},                                                                   \
    {                                                                                                        \
        .name = "dtype", .kind = OPTION_TEXT, .value = &(s).dtype, .choices = "f32|bf16", .setting = true,   \
        .argument = "TYPE", .help = "of the matrix products: f32, bf16"                                      \
    }

/* Reads the settings of a model's header ("config") over the defaults. */
bool settings_read(Settings *settings, const json_t *config, Error *error);

/* All settings but paths, as they stand in a header. A new reference. */
json_t *settings_record(const Settings *settings);

#endif

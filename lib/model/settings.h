/* All hyper-parameters of a model and its training. They come from options, a --config file or a model's
 * header, and stand in the header of every model that is written. */
#ifndef MODEL_SETTINGS_H
#define MODEL_SETTINGS_H

#include "core/options.h"

/* What makes the items' vectors: fused texts and images, one of them, a table by item, or nothing, when they
 * come in as vectors. */
typedef enum Tower { TOWER_MODAL, TOWER_TEXT_ONLY, TOWER_IMAGE_ONLY, TOWER_ID, TOWER_VECTORS } Tower;

/* As it is called on the command line and in headers. */
const char *tower_name(Tower tower);

/* How the learning rate goes down (train/schedule.h). */
typedef enum Schedule { SCHEDULE_CONSTANT, SCHEDULE_STEP, SCHEDULE_COSINE, SCHEDULE_LINEAR } Schedule;

typedef struct Settings {
    Tower tower;
    const char *fusion, *user_encoder, *objective, *metric, *text_config, *image_config;
    Schedule schedule;
    int64_t dim, fusion_heads, fusion_intermediate, fusion_layers, user_heads, user_blocks;
    int64_t max_seq_len, min_seq_len, epochs, batch_size, schedule_gap, patience, seed, accumulate;
    int64_t validate_every, validate_users;
    double lr, text_lr, image_lr, weight_decay, dropout, clip, temperature, shuffle_rate, replace_rate;
    double warmup;
    const char *device, *dtype;
    bool sparse_updates;
} Settings;

/* The defaults: the paper's, where it names them. */
extern const Settings settings_default;

/* A tool's table of options: its own (ending with an entry without a name; NULL: none), and behind them those
 * that set `settings`. To be freed. */
Option *settings_options(Settings *settings, const Option *own);

/* Reads the settings of a model's header ("config") over the defaults. */
bool settings_read(Settings *settings, const json_t *config, Error *error);

/* Whether what is done in an epoch follows from how many there are. */
bool settings_depend_on_epochs(const Settings *settings);

/* All settings but paths, as they stand in a header. A new reference. */
json_t *settings_record(const Settings *settings);

#endif

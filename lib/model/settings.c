#include "model/settings.h"

#include "core/memory.h"
#include "model/metric_name.h"
#include "model/objective/objective.h"
#include "nn/backend/backend.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

const Settings settings_default = {
    .tower = TOWER_MODAL,
    .fusion = "merge_attn",
    .user_encoder = "sasrec",
    .objective = "dap",
    .schedule = SCHEDULE_CONSTANT,
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
    .metric = "HR@10",
    .validate_every = 1,
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

/* In the order of the enums. */
#define TOWERS "modal|text-only|image-only|id|vectors"
#define SCHEDULES "constant|step|cosine|linear"

#define AT(member) offsetof(Settings, member)

typedef struct Setting {
    const char *name;
    OptionKind kind;
    size_t offset; /* of the value in Settings */
    double minimum, maximum;
    const char *argument, *help, *choices;
    bool (*check)(const char *text, Error *error);
} Setting;

static bool check_fusion(const char *name, Error *error) {
    return fusion_find(name, error);
}

static bool check_user_encoder(const char *name, Error *error) {
    return user_encoder_find(name, error);
}

static bool check_objective(const char *text, Error *error) {
    ObjectiveParts parts;
    return objective_parse(&parts, text, error);
}

static bool check_metric(const char *name, Error *error) {
    MetricName metric;
    return metric_name_parse(&metric, name, error);
}

static const Setting table[] = {
    {"tower", OPTION_CHOICE, AT(tower), 0, 0, "NAME", .help = "modal, text-only, image-only, id",
     .choices = TOWERS},
    {"fusion", OPTION_TEXT, AT(fusion), 0, 0, "NAME", .help = "merge_attn, co_att, concat, film, gated, sum",
     .check = check_fusion},
    {"user-encoder", OPTION_TEXT, AT(user_encoder), 0, 0, "NAME", .help = "sasrec, grurec, nextit",
     .check = check_user_encoder},
    {"objective", OPTION_TEXT, AT(objective), 0, 0, "LIST",
     .help = "dap, nicl, ncl, icl, vcl, nid, rcl: a,b=WEIGHT,…", .check = check_objective},
    {"temperature", OPTION_REAL, AT(temperature), 1e-3, 1e3, "T", .help = "of nicl, vcl, icl, ncl and rcl"},
    {"shuffle-rate", OPTION_REAL, AT(shuffle_rate), 0, 1, "P", .help = "inputs shuffled for nid and rcl"},
    {"replace-rate", OPTION_REAL, AT(replace_rate), 0, 1, "P", .help = "inputs replaced for nid and rcl"},
    {"dim", OPTION_INTEGER, AT(dim), 1, 65536, "D", .help = "width of item vectors"},
    {"fusion-heads", OPTION_INTEGER, AT(fusion_heads), 1, 1024, "N", .help = "attention heads of the fusion"},
    {"fusion-intermediate", OPTION_INTEGER, AT(fusion_intermediate), 1, 262144, "N",
     .help = "its feed-forward width"},
    {"fusion-layers", OPTION_INTEGER, AT(fusion_layers), 1, 64, "N", .help = "its layers"},
    {"user-heads", OPTION_INTEGER, AT(user_heads), 1, 1024, "N",
     .help = "attention heads of the user encoder"},
    {"user-blocks", OPTION_INTEGER, AT(user_blocks), 1, 64, "N", .help = "its blocks or layers"},
    {"max-seq-len", OPTION_INTEGER, AT(max_seq_len), 1, 65536, "L", .help = "most inputs of a sequence"},
    {"min-seq-len", OPTION_INTEGER, AT(min_seq_len), 3, 65536, "N",
     .help = "users with fewer items are left out"},
    {"epochs", OPTION_INTEGER, AT(epochs), 0, 1000000, "N", .help = "passes over the users"},
    {"batch-size", OPTION_INTEGER, AT(batch_size), 0, 10000000, "B", .help = "users in a batch; 0: all"},
    {"accumulate", OPTION_INTEGER, AT(accumulate), 1, 65536, "N",
     .help = "batches whose gradients make one step"},
    {"lr", OPTION_REAL, AT(lr), 0, 1e3, "R", .help = "learning rate"},
    {"text-lr", OPTION_REAL, AT(text_lr), 0, 1e3, "R",
     .help = "of the text encoder's blocks; without it: --lr"},
    {"image-lr", OPTION_REAL, AT(image_lr), 0, 1e3, "R",
     .help = "of the image encoder's blocks; without it: --lr"},
    {"text-config", OPTION_PATH, AT(text_config), 0, 0, "FILE",
     .help = "config.json of the text encoder in --init"},
    {"image-config", OPTION_PATH, AT(image_config), 0, 0, "FILE",
     .help = "config.json of the image encoder in --init"},
    {"weight-decay", OPTION_REAL, AT(weight_decay), 0, 1e3, "R", .help = "outside the encoders' blocks"},
    {"sparse-updates", OPTION_FLAG, AT(sparse_updates), 0, 0, NULL,
     .help = "ID tower: a step moves only the rows of its items"},
    {"dropout", OPTION_REAL, AT(dropout), 0, 0.99, "P", .help = "in fusion, user encoder and text blocks"},
    {"clip", OPTION_REAL, AT(clip), 0, 1e9, "NORM", .help = "largest gradient norm; 0: no limit"},
    {"schedule", OPTION_CHOICE, AT(schedule), 0, 0, "NAME", .help = "step, cosine, linear, constant",
     .choices = SCHEDULES},
    {"schedule-gap", OPTION_INTEGER, AT(schedule_gap), 1, 1000000, "N",
     .help = "epochs between the steps of step"},
    {"warmup", OPTION_REAL, AT(warmup), 0, 1e9, "N",
     .help = "first steps with a rising rate; below 1: a fraction of all"},
    {"metric", OPTION_TEXT, AT(metric), 0, 0, "NAME", .help = "that chooses the best epoch: HR@K, NDCG@K",
     .check = check_metric},
    {"validate-every", OPTION_INTEGER, AT(validate_every), 1, 1000000, "N",
     .help = "epochs between validations; the last is validated"},
    {"validate-users", OPTION_INTEGER, AT(validate_users), 0, UINT32_MAX, "N",
     .help = "validate with so many users, drawn once; 0: all"},
    {"patience", OPTION_INTEGER, AT(patience), 0, 1000000, "N",
     .help = "stop after N epochs without a better one; 0: never"},
    {"seed", OPTION_INTEGER, AT(seed), 0, 9e15, "S", .help = "of initial values, order and dropout"},
    {"device", OPTION_TEXT, AT(device), 0, 0, "NAME", .help = DEVICE_HELP, .check = backend_check_device},
    {"dtype", OPTION_TEXT, AT(dtype), 0, 0, "TYPE", .help = "of the matrix products: f32, bf16",
     .choices = "f32|bf16"},
};

enum { SETTINGS = sizeof table / sizeof *table };

const char *tower_name(Tower tower) {
    static const char *const names[] = {"modal", "text-only", "image-only", "id", "vectors"};
    return names[tower];
}

Option *settings_options(Settings *settings, const Option *own) {
    size_t count = 0;
    while (own && own[count].name)
        count++;
    Option *options = memory_need(count + SETTINGS + 1, sizeof *options);
    if (own) memcpy(options, own, count * sizeof *own);
    for (size_t i = 0; i < SETTINGS; i++)
        options[count + i] = (Option){.name = table[i].name,
                                      .kind = table[i].kind,
                                      .value = (char *)settings + table[i].offset,
                                      .minimum = table[i].minimum,
                                      .maximum = table[i].maximum,
                                      .argument = table[i].argument,
                                      .help = table[i].help,
                                      .choices = table[i].choices,
                                      .check = table[i].check,
                                      .setting = true};
    return options;
}

bool settings_read(Settings *settings, const json_t *config, Error *error) {
    *settings = settings_default;
    Program program = {.name = "settings", .options = settings_options(settings, NULL)};
    const bool fine =
        options_inherit(&program, config, error) || error_prefix(error, "the model's settings: ");
    free(program.options);
    return fine;
}

bool settings_depend_on_epochs(const Settings *settings) {
    const bool share = settings->warmup > 0 && settings->warmup < 1;
    return share || settings->validate_every > 1 || settings->schedule == SCHEDULE_COSINE ||
           settings->schedule == SCHEDULE_LINEAR;
}

json_t *settings_record(const Settings *settings) {
    Settings copy = *settings;
    const Program program = {.name = "settings", .options = settings_options(&copy, NULL)};
    json_t *record = options_record(&program);
    free(program.options);
    return record;
}

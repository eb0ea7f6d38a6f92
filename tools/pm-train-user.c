#include "model/lineage.h"
#include "nn/backend/backend.h"
#include "train/train_job.h"

#include <string.h>

static TrainRequest request = {.keep = "best", .memory = 8192};
static const char *config;

static const Option own_options[] = {
    {.name = "users",
     .kind = OPTION_PATH,
     .value = &request.users,
     .argument = "USERS.tsv",
     .help = "the behaviours to train on"},
    {.name = "text",
     .kind = OPTION_PATH,
     .value = &request.text,
     .argument = "TEXT.pmt",
     .help = "tokens, or hidden states after K blocks"},
    {.name = "image",
     .kind = OPTION_PATH,
     .value = &request.image,
     .argument = "IMAGE",
     .help = "images.lmdb (or A.lmdb,B.lmdb), pixels, or states"},
    {.name = "items",
     .kind = OPTION_PATH,
     .value = &request.items,
     .argument = "ITEMS.pmt",
     .help = "or item vectors: trains the user encoder alone"},
    {.name = "catalog",
     .kind = OPTION_PATH,
     .value = &request.catalog,
     .argument = "ITEMS.tsv",
     .help = "the item names of an ID tower"},
    {.name = "text-encoder",
     .kind = OPTION_PATH,
     .value = &request.text_encoder,
     .argument = "ENC.pmt",
     .help = "weights of the text blocks above K"},
    {.name = "image-encoder",
     .kind = OPTION_PATH,
     .value = &request.image_encoder,
     .argument = "ENC.pmt",
     .help = "weights of the image blocks above K"},
    {.name = "init",
     .kind = OPTION_PATH,
     .value = &request.init,
     .argument = "MODEL.pmt",
     .help = "start from this model's tensors"},
    {.name = "transfer",
     .kind = OPTION_TEXT,
     .value = &request.transfer,
     .argument = "PARTS",
     .help = "full, items, user, text, image, globs (a,b: both)"},
    {.name = "config",
     .kind = OPTION_PATH,
     .value = &config,
     .argument = "FILE.json",
     .help = "settings as a JSON object; options win"},
    {.name = "log",
     .kind = OPTION_PATH,
     .value = &request.log,
     .output = OPTION_IS_APPENDED,
     .argument = "FILE.jsonl",
     .help = "a line for each step and each epoch"},
    {.name = "checkpoint",
     .kind = OPTION_PATH,
     .value = &request.checkpoint,
     .output = OPTION_IS_REPLACED,
     .argument = "FILE",
     .help = "each 10 minutes, epoch, SIGTERM; gone on from"},
    {.name = "checkpoint-every",
     .kind = OPTION_INTEGER,
     .value = &request.checkpoint_every,
     .argument = "STEPS",
     .unrecorded = true,
     .help = "and after so many steps; 0: no more"},
    {.name = "restart",
     .kind = OPTION_FLAG,
     .value = &request.restart,
     .unrecorded = true,
     .help = "begin anew, whatever checkpoint there is"},
    {.name = "check-numerics",
     .kind = OPTION_FLAG,
     .value = &request.check_numerics,
     .unrecorded = true,
     .help = "look for NaN behind every operator; slower"},
    {.name = "keep",
     .kind = OPTION_TEXT,
     .value = &request.keep,
     .argument = "WHICH",
     .choices = "best|last",
     .help = "epoch to write: best (by --metric), last"},
    OPTION_UNKNOWN_ITEMS(request.unknown_items),
    OPTION_ANY_MODEL(request.any_model),
    {.name = "cache",
     .kind = OPTION_PATH,
     .value = &request.cache,
     .argument = "DIR",
     .unrecorded = true,
     .help = "keep streams there unpacked, for later runs"},
    {.name = "memory",
     .kind = OPTION_INTEGER,
     .value = &request.memory,
     .argument = "MIB",
     .maximum = 1 << 30,
     .unrecorded = true,
     .help = "streams beyond it go to a file in $TMPDIR"},
    OPTION_OUTPUT(request.output, "MODEL.pmt", "the model"),
    {0},
};

static Program program = {
    .name = "pm-train-user",
    .usage = "--users U (--text T|--image I|--items V|--catalog C) -o M",
    .purpose = "Trains user encoder, fusion, projections, and the encoder blocks above K.",
    .example = "  pm-train-user --users u.tsv --text text.pmt --text-encoder xlmr.pmt -o m.pmt",
    .version_details = backend_describe,
};

static bool was_given(const char *name) {
    for (const Option *option = program.options; option->name; option++)
        if (!strcmp(option->name, name)) return option->given;
    return false;
}

static bool run(Error *error) {
    request.text_config_given = was_given("text-config");
    request.image_config_given = was_given("image-config");
    if (config && !options_read_config(&program, config, error)) return false;
    request.tower_given = was_given("tower");
    return train_job(&request, &program, error);
}

int main(int argc, char **argv) {
    request.settings = settings_default;
    program.options = settings_options(&request.settings, own_options);
    const int first = options_parse(&program, argc, argv);
    Error error;
    if (first < argc) options_wrong_usage(&program, "unexpected operand %s", argv[first]);
    if (!request.users || !request.output) options_wrong_usage(&program, "--users and -o are needed");
    if (!request.text && !request.image && !request.items && !request.catalog)
        options_wrong_usage(&program, "give items with --text, --image, --items or --catalog");
    if ((request.checkpoint_every || request.restart) && !request.checkpoint)
        options_wrong_usage(&program, "--checkpoint-every and --restart need --checkpoint");
    if (request.transfer && !request.init) options_wrong_usage(&program, "--transfer needs --init");
    request.ranks = ranks_start(&error);
    return ranks_end(request.ranks && run(&error), &error);
}

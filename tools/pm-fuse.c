#include "core/log.h"
#include "model/fuse_stream.h"
#include "model/lineage.h"
#include "nn/backend/backend.h"

static FuseRequest request = {.device = "cpu", .compute = "f32"};

static Option options[] = {
    {.name = "model",
     .kind = OPTION_PATH,
     .value = &request.model,
     .argument = "MODEL.pmt",
     .help = "the model whose projections and fusion are used"},
    {.name = "text",
     .kind = OPTION_PATH,
     .value = &request.hidden[MODALITY_TEXT],
     .argument = "TEXT.pmt",
     .help = "last hidden states of the texts"},
    {.name = "image",
     .kind = OPTION_PATH,
     .value = &request.hidden[MODALITY_IMAGE],
     .argument = "IMAGE.pmt",
     .help = "last hidden states of the images"},
    OPTION_DEVICE(request.device),
    OPTION_ANY_MODEL(request.any_model),
    OPTION_OUTPUT(request.output, "FILE", "instead of standard output"),
    {0},
};

static Program program = {
    .name = "pm-fuse",
    .usage = "--model MODEL.pmt [--text TEXT.pmt] [--image IMAGE.pmt] [-o ITEMS.pmt]",
    .purpose = "Makes one vector an item from the hidden states of its text and its image.",
    .example = "  pm-fuse --model model.pmt --text text-top.pmt --image image-top.pmt \\\n      -o items.pmt",
    .options = options,
    .version_details = backend_describe,
};

int main(int argc, char **argv) {
    const int first = options_parse(&program, argc, argv);
    Error error;
    if (!request.model) options_wrong_usage(&program, "--model is needed");
    if (first < argc) options_wrong_usage(&program, "unexpected operand %s", argv[first]);
    if (fuse_stream(&request, &program, &error)) return 0;
    log_error("%s", error.message);
    return 1;
}

#include "model/encode_tool.h"

#include "core/log.h"
#include "model/lineage.h"
#include "nn/backend/backend.h"
#include "stream/writer.h"

#include <string.h>

static EncodeRequest request = {.blocks = -1, .device = "cpu"};
static const char *dtype = "f32", *shard;
static int64_t level = FRAME_DEFAULT_LEVEL;

static Option options[] = {
    {.name = "encoder",
     .kind = OPTION_PATH,
     .value = &request.encoder,
     .argument = "ENC.pmt",
     .help = "the encoder whose blocks run (from pm-import or pm-synth)"},
    {.name = "model",
     .kind = OPTION_PATH,
     .value = &request.model,
     .argument = "MODEL.pmt",
     .help = "or a model, with its own blocks"},
    {.name = "blocks",
     .kind = OPTION_INTEGER,
     .value = &request.blocks,
     .argument = "K",
     .minimum = -1,
     .maximum = 10000,
     .help = "stop after K blocks (0: the embedding; -1: all)"},
    {.name = "dtype",
     .kind = OPTION_TEXT,
     .value = &dtype,
     .argument = "TYPE",
     .choices = "f32|bf16|i8",
     .help = "of what is written: f32, bf16; i8 with a scale a token"},
    {.name = "compute",
     .kind = OPTION_TEXT,
     .value = &request.compute,
     .argument = "TYPE",
     .choices = "f32|bf16",
     .help = "of the products; without it: bf16 for --dtype bf16 and i8, if the device can"},
    OPTION_DEVICE(request.device),
    OPTION_ANY_MODEL(request.any_model),
    OPTION_SHARD(shard),
    OPTION_LEVEL(level),
    {.name = "resume",
     .kind = OPTION_FLAG,
     .value = &request.resume,
     .unrecorded = true,
     .help = "go on where a killed run with it stopped (FILE.part)"},
    OPTION_OUTPUT(request.output, "FILE", "instead of standard output"),
    {0},
};

int encode_tool(Modality modality, Program program, int argc, char **argv) {
    program.options = options;
    program.version_details = backend_describe;
    const int first = options_parse(&program, argc, argv);
    Error error;
    if (!request.encoder == !request.model)
        options_wrong_usage(&program, "give one of --encoder and --model");
    if (request.resume && (!request.output || !strcmp(request.output, "-")))
        options_wrong_usage(&program, "--resume needs -o FILE");
    request.inputs = argv + first;
    request.input_count = (size_t)(argc - first);
    if (request.input_count > 1 && modality == MODALITY_TEXT)
        options_wrong_usage(&program, "one input at the most");
    if (!shard_parse(&request.shard, shard, &error)) options_wrong_usage(&program, "%s", error.message);
    request.modality = modality;
    request.level = (int)level;
    if (!request.compute)
        request.compute = strcmp(dtype, "f32") && backend_rounds(request.device) ? "bf16" : "f32";
    dtype_from_name(dtype, strlen(dtype), &request.dtype);
    if (encode_stream(&request, &program, &error)) return 0;
    log_error("%s", error.message);
    return 1;
}

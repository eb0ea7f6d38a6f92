/* Foreign weights and arrays to streams. */
#include "convert/import.h"
#include "core/log.h"
#include "core/options.h"

#include <string.h>

static struct {
    const char *items, *hidden, *tokens, *pixels, *vectors, *mask, *modality;
    const char *encoder, *model, *config, *select, *rename, *dtype, *output;
} arguments;

static Option options[] = {
    OPTION_OUTPUT(arguments.output, "FILE", "write the stream here"),
    {.name = "items",
     .kind = OPTION_PATH,
     .value = &arguments.items,
     .argument = "FILE",
     .help = "items.tsv: line i is row i of the array"},
    {.name = "hidden",
     .kind = OPTION_TEXT,
     .value = &arguments.hidden,
     .argument = "NAME",
     .help = "last hidden states [items, T, W] or [items, W]"},
    {.name = "tokens",
     .kind = OPTION_TEXT,
     .value = &arguments.tokens,
     .argument = "NAME",
     .help = "token ids [items, T]"},
    {.name = "pixels",
     .kind = OPTION_TEXT,
     .value = &arguments.pixels,
     .argument = "NAME",
     .help = "normalised images [items, 3, H, H]"},
    {.name = "vectors",
     .kind = OPTION_TEXT,
     .value = &arguments.vectors,
     .argument = "NAME",
     .help = "finished item vectors [items, D]"},
    {.name = "mask",
     .kind = OPTION_TEXT,
     .value = &arguments.mask,
     .argument = "NAME",
     .help = "keep the tokens where this is not 0"},
    {.name = "modality",
     .kind = OPTION_TEXT,
     .value = &arguments.modality,
     .choices = "text|image",
     .argument = "M",
     .help = "text or image; else by --mask or NAME"},
    {.name = "encoder",
     .kind = OPTION_PATH,
     .value = &arguments.encoder,
     .argument = "FILE",
     .help = "weights, or a Hugging Face folder"},
    {.name = "model",
     .kind = OPTION_PATH,
     .value = &arguments.model,
     .argument = "FILE",
     .help = "a PMMRec checkpoint"},
    {.name = "config",
     .kind = OPTION_PATH,
     .value = &arguments.config,
     .argument = "FILE",
     .help = "the encoder's config.json; a model's settings"},
    {.name = "select",
     .kind = OPTION_TEXT,
     .value = &arguments.select,
     .argument = "GLOB",
     .help = "only tensors called so in the file"},
    {.name = "rename",
     .kind = OPTION_TEXT,
     .value = &arguments.rename,
     .argument = "RULES",
     .help = "FROM=TO,...: beginnings, or names with a *"},
    {.name = "dtype",
     .kind = OPTION_TEXT,
     .value = &arguments.dtype,
     .choices = "f32|f16|bf16|i8",
     .argument = "D",
     .help = "f32, f16, bf16, i8; else as they are, f64 as f32"},
    {0},
};

static Program program = {
    .name = "pm-import",
    .usage =
        "--items FILE (--hidden|--tokens|--pixels|--vectors) NAME FILE\n"
        "       pm-import (--encoder|--model) FILE",
    .purpose =
        "Reads safetensors, .npz, .npy (its array is arr_0) and PyTorch checkpoints; executes nothing.",
    .options = options,
    .example = "  pm-import --encoder xlm-roberta-base/ -o text-encoder.pmt",
};

typedef bool Import(const ImportRequest *request, Error *error);

typedef struct Form {
    const char **value; /* of its option */
    Import *import;
    bool by_item;
} Form;

#define FORMS "--hidden, --tokens, --pixels, --vectors, --encoder, --model"

/* The one form that was asked for; ends the program when it is not one. */
static const Form *choose(void) {
    static const Form forms[] = {
        {&arguments.hidden, import_hidden, true},    {&arguments.tokens, import_tokens, true},
        {&arguments.pixels, import_pixels, true},    {&arguments.vectors, import_vectors, true},
        {&arguments.encoder, import_encoder, false}, {&arguments.model, import_model, false}};
    const Form *chosen = NULL;
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        if (!*forms[i].value) continue;
        if (chosen) options_wrong_usage(&program, "say only one of " FORMS);
        chosen = &forms[i];
    }
    if (!chosen) options_wrong_usage(&program, "say one of " FORMS);
    return chosen;
}

/* Ends the program when there are options that mean nothing to the form. */
static void check_options(const Form *form, int operands) {
    if (operands != form->by_item)
        options_wrong_usage(&program, form->by_item ? "say the one file that holds the array"
                                                    : "nothing follows the options");
    if (form->by_item && !arguments.items) options_wrong_usage(&program, "--items is needed");
    if (!form->by_item && (arguments.items || arguments.mask || arguments.modality))
        options_wrong_usage(&program, "--items, --mask and --modality are for arrays by item");
    if (form->by_item && (arguments.select || arguments.rename || arguments.config))
        options_wrong_usage(&program, "--select, --rename and --config are for --encoder and --model");
    if (arguments.modality && !arguments.hidden) options_wrong_usage(&program, "--modality is for --hidden");
    if (arguments.mask && (arguments.pixels || arguments.vectors))
        options_wrong_usage(&program, "--mask is for --hidden and --tokens");
    if (arguments.dtype && form->by_item && (!arguments.hidden || !strcmp(arguments.dtype, "f16")))
        options_wrong_usage(&program, "of arrays by item, --dtype is for --hidden, and f32, bf16 or i8");
    if (arguments.dtype && !form->by_item && !strcmp(arguments.dtype, "i8"))
        options_wrong_usage(&program, "--dtype i8 is for --hidden");
}

int main(int argc, char **argv) {
    const int first = options_parse(&program, argc, argv);
    const Form *form = choose();
    check_options(form, argc - first);
    ImportRequest request = {.file = form->by_item ? argv[first] : *form->value,
                             .output = arguments.output,
                             .items = arguments.items,
                             .array = form->by_item ? *form->value : NULL,
                             .mask = arguments.mask,
                             .modality = arguments.modality,
                             .config = arguments.config,
                             .select = arguments.select,
                             .rename = arguments.rename,
                             .keep_dtype = !arguments.dtype,
                             .tool = program.name,
                             .options = options_record(&program)};
    if (arguments.dtype) dtype_from_name(arguments.dtype, strlen(arguments.dtype), &request.dtype);
    Error error;
    const bool fine = form->import(&request, &error);
    json_decref(request.options);
    if (fine) return 0;
    log_error("%s", error.message);
    return 1;
}

/* Streams and image stores to safetensors, .npz and .npy. */
#include "convert/export.h"
#include "core/log.h"
#include "core/options.h"

static struct { const char *output; } arguments;

static Option options[] = {
    OPTION_OUTPUT(arguments.output, "FILE", "NAME.safetensors, NAME.npz or NAME.npy"),
    {0},
};

static Program program = {
    .name = "pm-export",
    .usage = "FILE... -o NAME.{safetensors,npz,npy}",
    .purpose =
        "Writes the tensors of a model or encoder (FILE.pmt) under their names. Of a stream with a "
        "record an item it writes padded arrays: hidden [items, T, W] or ids [items, T] (padding "
        "id 1) with mask [items, T], vector [items, D] or pixels, and the keys in their order to "
        "NAME.keys.tsv; of image stores (FILE.lmdb) pixels, uint8 [items, H, W, 3]. "
        "In .npz and .npy, which have no bf16, that becomes f32; a .npy is the one array of vectors, "
        "pixels or images.",
    .options = options,
    .example = "  pm-export model.pmt -o model.safetensors",
};

int main(int argc, char **argv) {
    const int first = options_parse(&program, argc, argv);
    if (argc == first) options_wrong_usage(&program, "say a stream or image stores");
    if (!arguments.output) options_wrong_usage(&program, "say the output with -o");
    Error error;
    if (export_files(argv + first, (size_t)(argc - first), arguments.output, &error)) return 0;
    log_error("%s", error.message);
    return 1;
}

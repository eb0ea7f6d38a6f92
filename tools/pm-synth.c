/* Made-up data with structure worth learning, and encoders with fresh weights. */
#include "core/log.h"
#include "core/options.h"
#include "data/synth_dataset.h"
#include "huggingface/hf_config.h"
#include "model/fresh_encoder.h"

#include <inttypes.h>
#include <string.h>

static struct {
    int64_t items, users, image_size, seed;
    const char *domain, *output;
} arguments = {.items = 1200, .users = 2500, .image_size = 48, .seed = 1, .domain = "A"};

/* The options of data come first, then those of encoder, then those of both. */
enum { DATA_OPTIONS = 4, OUTPUT_OPTION = 4 };

static Option options[] = {
    {.name = "items",
     .kind = OPTION_INTEGER,
     .value = &arguments.items,
     .argument = "N",
     .minimum = 1,
     .maximum = 10000000,
     .help = "data: items to make"},
    {.name = "users",
     .kind = OPTION_INTEGER,
     .value = &arguments.users,
     .argument = "N",
     .minimum = 1,
     .maximum = 1000000000,
     .help = "data: users to make, of 5 to 25 items each"},
    {.name = "domain",
     .kind = OPTION_TEXT,
     .value = &arguments.domain,
     .argument = "LETTER",
     .choices = "A|B|C|D|E|F|G|H|I|J|K|L|M|N|O|P|Q|R|S|T|U|V|W|X|Y|Z",
     .help = "data: other items, users and looks, the same rules"},
    {.name = "image-size",
     .kind = OPTION_INTEGER,
     .value = &arguments.image_size,
     .argument = "PIXELS",
     .minimum = 8,
     .maximum = 4096,
     .help = "data: width and height of the images"},
    OPTION_OUTPUT(arguments.output, "FILE", "encoder: where it is written"),
    {.name = "seed",
     .kind = OPTION_INTEGER,
     .value = &arguments.seed,
     .argument = "S",
     .help = "the same seed gives the same bytes"},
    {0},
};

static Program program = {
    .name = "pm-synth",
    .usage = "data DIR [options] | encoder CONFIG.json [options]",
    .purpose =
        "data: writes a made-up data set: items.tsv, users.tsv, images/ and vocab.txt in DIR.\n"
        "encoder: writes an encoder with random weights, from a Hugging Face config.json.",
    .options = options,
    .example =
        "  pm-synth data demo --items 1200 --users 2500 --seed 1\n"
        "  pm-synth encoder pipelines/configs/text-small.json -o text-encoder.pmt",
};

static bool make_data(const char *folder, Error *error) {
    SynthCatalogue *catalogue = synth_catalogue_create(
        (size_t)arguments.items, (unsigned)(*arguments.domain - 'A'), (uint64_t)arguments.seed);
    const bool fine =
        synth_dataset_write(folder, catalogue, (size_t)arguments.users, (int)arguments.image_size, error);
    synth_catalogue_destroy(catalogue);
    if (fine)
        log_report("%" PRId64 " items and %" PRId64 " users in %s", arguments.items, arguments.users, folder);
    return fine;
}

static json_t *encoder_header(const json_t *config) {
    json_t *header = header_create("encoder"), *record = json_object();
    json_object_set_new(header, "modality", json_string(hf_config_modality(config)));
    json_object_set(header, "config", (json_t *)config);
    json_object_set_new(record, "seed", json_integer(arguments.seed));
    header_sign(header, program.name, record);
    return header;
}

static bool make_encoder(const char *config_path, Error *error) {
    json_t *config = hf_config_read(config_path, error);
    if (!config) return false;
    json_t *header = encoder_header(config);
    StreamWriter *writer = stream_writer_open(arguments.output, header, error);
    bool fine = writer && fresh_encoder_put(writer, config, (uint64_t)arguments.seed, error);
    if (fine)
        fine = stream_writer_close(writer, error);
    else
        stream_writer_abandon(writer);
    json_decref(header);
    json_decref(config);
    return fine;
}

/* An option of the other command would be parsed and ignored. */
static void refuse_options(const char *command, size_t first, size_t end) {
    for (size_t i = first; i < end; i++)
        if (options[i].given) options_wrong_usage(&program, "%s takes no --%s", command, options[i].name);
}

int main(int argc, char **argv) {
    const int first = options_parse(&program, argc, argv);
    const char *command = argc - first == 2 ? argv[first] : "";
    Error error;
    bool fine;
    if (!strcmp(command, "data")) {
        refuse_options(command, DATA_OPTIONS, OUTPUT_OPTION + 1);
        fine = make_data(argv[first + 1], &error);
    } else if (!strcmp(command, "encoder")) {
        refuse_options(command, 0, DATA_OPTIONS);
        fine = make_encoder(argv[first + 1], &error);
    } else {
        options_wrong_usage(&program, "say 'data' and a folder, or 'encoder' and a config.json");
    }
    if (!fine) log_error("%s", error.message);
    return fine ? 0 : 1;
}

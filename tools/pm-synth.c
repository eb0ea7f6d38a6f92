/* Made-up data with structure worth learning, and encoders with fresh weights. */
#include "core/log.h"
#include "core/options.h"
#include "data/synth_dataset.h"

#include <inttypes.h>
#include <string.h>

static struct {
    int64_t items, users, image_size, seed;
    const char *domain;
} arguments = {.items = 1000, .users = 2500, .image_size = 48, .seed = 1, .domain = "A"};

static Option options[] = {
    {.name = "items",
     .kind = OPTION_INTEGER,
     .value = &arguments.items,
     .argument = "N",
     .minimum = 1,
     .maximum = 10000000,
     .help = "items to make"},
    {.name = "users",
     .kind = OPTION_INTEGER,
     .value = &arguments.users,
     .argument = "N",
     .minimum = 1,
     .maximum = 1000000000,
     .help = "users to make, of 5 to 25 items each"},
    {.name = "domain",
     .kind = OPTION_TEXT,
     .value = &arguments.domain,
     .argument = "LETTER",
     .choices = "A|B|C|D|E|F|G|H|I|J|K|L|M|N|O|P|Q|R|S|T|U|V|W|X|Y|Z",
     .help = "other items and users, other words and colours, the same rules"},
    {.name = "image-size",
     .kind = OPTION_INTEGER,
     .value = &arguments.image_size,
     .argument = "PIXELS",
     .minimum = 8,
     .maximum = 4096,
     .help = "width and height of the images"},
    {.name = "seed",
     .kind = OPTION_INTEGER,
     .value = &arguments.seed,
     .argument = "S",
     .help = "the same seed gives the same bytes"},
    {0},
};

static Program program = {
    .name = "pm-synth",
    .usage = "data DIR [options]",
    .purpose = "Writes a made-up data set: items.tsv, users.tsv, images/ and vocab.txt.",
    .options = options,
    .example = "  pm-synth data build/demo --items 1000 --users 2500 --seed 1",
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

int main(int argc, char **argv) {
    const int first = options_parse(&program, argc, argv);
    if (argc - first != 2 || strcmp(argv[first], "data"))
        options_wrong_usage(&program, "say 'data' and a folder");
    Error error;
    if (make_data(argv[first + 1], &error)) return 0;
    log_error("%s", error.message);
    return 1;
}

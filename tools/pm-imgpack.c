#include "core/log.h"
#include "core/options.h"
#include "data/catalogue.h"
#include "data/image_folder.h"
#include "data/image_resize.h"
#include "data/pickled_images.h"
#include "stream/header.h"

#include <inttypes.h>
#include <string.h>

static struct {
    const char *images, *pickled, *items, *output, *missing, *broken;
    int64_t size;
} arguments = {.missing = "error", .broken = "error", .size = 224};

static Option options[] = {
    {.name = "images",
     .kind = OPTION_PATH,
     .value = &arguments.images,
     .argument = "DIR",
     .help = "where the images are: DIR/ITEM.jpg, .jpeg or .png"},
    {.name = "pickled",
     .kind = OPTION_PATH,
     .value = &arguments.pickled,
     .argument = "LMDB",
     .help = "or PMMRec's LMDB of pickled images; item v12 is its key 12"},
    {.name = "items",
     .kind = OPTION_PATH,
     .value = &arguments.items,
     .argument = "FILE",
     .help = "the items: item TAB text, a line each"},
    OPTION_OUTPUT(arguments.output, "FILE", "the image store to write"),
    {.name = "size",
     .kind = OPTION_INTEGER,
     .value = &arguments.size,
     .argument = "N",
     .minimum = 1,
     .maximum = IMAGE_MAX_SIZE,
     .help = "width and height of the packed images"},
    {.name = "missing",
     .kind = OPTION_TEXT,
     .value = &arguments.missing,
     .argument = "WHAT",
     .choices = "error|zero|skip",
     .help = "an item without an image: error, zero (black), skip"},
    {.name = "broken",
     .kind = OPTION_TEXT,
     .value = &arguments.broken,
     .argument = "WHAT",
     .choices = "error|zero|skip",
     .help = "an image that cannot be read: error, zero, skip"},
    {0},
};

static Program program = {
    .name = "pm-imgpack",
    .usage = "(--images DIR | --pickled LMDB) --items items.tsv -o images.lmdb",
    .purpose =
        "Decodes the image of each item (JPEG or PNG, by content), resizes it as Pillow's bilinear filter\n"
        "does, and packs all in one LMDB file that pm-encode-image and pm-train-user read.",
    .example = "  pm-imgpack --images posters/ --items items.tsv --missing zero -o images.lmdb",
    .options = options,
};

static PackChoice choice_of(const char *text) {
    return !strcmp(text, "zero") ? PACK_ZERO : !strcmp(text, "skip") ? PACK_SKIP : PACK_ERROR;
}

static void report(const ImagePack *pack, size_t items) {
    log_report("%zu images of %" PRId64 " × %" PRId64
               " from %zu items; %zu missing (%s), %zu broken (%s), "
               "%zu damaged but readable",
               pack->packed, arguments.size, arguments.size, items, pack->missing_count, arguments.missing,
               pack->broken_count, arguments.broken, pack->damaged_count);
}

static bool commit(ImageStoreWriter *writer, const Catalogue *catalogue, Error *error) {
    json_t *header = json_object();
    header_sign(header, program.name, options_record(&program));
    header_add_input(header, "items", NULL);
    return image_store_commit(writer, header, json_pack("{s:O}", "items", catalogue->content), error);
}

static bool pack(const Catalogue *catalogue, const ImageSource *source, Error *error) {
    ImagePack choices = {.missing = choice_of(arguments.missing), .broken = choice_of(arguments.broken)};
    const uint32_t size = (uint32_t)arguments.size;
    ImageStoreWriter *writer = image_store_create(arguments.output, size, error);
    if (!writer) return false;
    if (!image_pack(&choices, source, catalogue->names, size, writer, error)) {
        image_store_abandon(writer);
        return false;
    }
    if (!commit(writer, catalogue, error)) return false;
    report(&choices, name_table_count(catalogue->names));
    return true;
}

static bool pack_folder(const Catalogue *catalogue, Error *error) {
    ImageFolder *folder = image_folder_open(arguments.images, error);
    const ImageSource source = folder ? image_folder_source(folder) : (ImageSource){0};
    const bool fine = folder && pack(catalogue, &source, error);
    image_folder_close(folder);
    return fine;
}

static bool pack_pickled(const Catalogue *catalogue, Error *error) {
    PickledImages *images = pickled_images_open(arguments.pickled, error);
    const ImageSource source = images ? pickled_images_source(images) : (ImageSource){0};
    const bool fine = images && pack(catalogue, &source, error);
    pickled_images_close(images);
    return fine;
}

static bool run(Error *error) {
    Catalogue catalogue;
    if (!catalogue_read(&catalogue, arguments.items, error)) return false;
    const bool fine = arguments.images ? pack_folder(&catalogue, error) : pack_pickled(&catalogue, error);
    catalogue_free(&catalogue);
    return fine;
}

int main(int argc, char **argv) {
    const int first = options_parse(&program, argc, argv);
    if (first < argc) options_wrong_usage(&program, "unexpected operand %s", argv[first]);
    if (!arguments.images == !arguments.pickled)
        options_wrong_usage(&program, "give one of --images and --pickled");
    if (!arguments.items) options_wrong_usage(&program, "--items names the file of the items");
    if (!arguments.output) options_wrong_usage(&program, "-o names the image store to write");
    Error error;
    if (run(&error)) return 0;
    log_error("%s", error.message);
    return 1;
}

#include "core/log.h"
#include "core/options.h"
#include "data/catalogue.h"
#include "data/image_folder.h"
#include "data/image_join.h"
#include "data/image_list.h"
#include "data/image_resize.h"
#include "data/image_tar.h"
#include "data/pickled_images.h"
#include "stream/content_hash.h"
#include "stream/header.h"
#include "stream/reader.h"
#include "stream/shard.h"

#include <inttypes.h>
#include <string.h>

static struct {
    const char *images, *list, *tar, *pickled, *items, *encoder, *resample, *shard, *output, *missing,
        *broken;
    bool join, resume;
    int64_t size, shortest_edge;
    Shard part;
} arguments = {.missing = "error", .broken = "error", .size = 224, .resample = "bilinear"};

static Option options[] = {
    {.name = "images",
     .kind = OPTION_PATH,
     .value = &arguments.images,
     .argument = "DIR",
     .help = "the images: ITEM.jpg, .jpeg, .png or .webp, also below"},
    {.name = "list",
     .kind = OPTION_PATH,
     .value = &arguments.list,
     .argument = "FILE",
     .help = "or a list of them: item TAB path, a line each"},
    {.name = "tar",
     .kind = OPTION_PATH,
     .value = &arguments.tar,
     .argument = "FILE",
     .help = "or a tar file of them (WebDataset); -: standard input"},
    {.name = "pickled",
     .kind = OPTION_PATH,
     .value = &arguments.pickled,
     .argument = "LMDB",
     .help = "or PMMRec's LMDB of pickles; item v12 is its key 12"},
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
    {.name = "resample",
     .kind = OPTION_TEXT,
     .value = &arguments.resample,
     .argument = "FILTER",
     .choices = "bilinear|bicubic",
     .help = "how they are resized: bilinear, bicubic"},
    {.name = "shortest-edge",
     .kind = OPTION_INTEGER,
     .value = &arguments.shortest_edge,
     .argument = "N",
     .maximum = 1 << 14,
     .help = "the shorter side to N, and the middle of that"},
    {.name = "encoder",
     .kind = OPTION_PATH,
     .value = &arguments.encoder,
     .argument = "ENC.pmt",
     .help = "size, filter and cut as this encoder wants them"},
    {.name = "missing",
     .kind = OPTION_TEXT,
     .value = &arguments.missing,
     .argument = "WHAT",
     .choices = "error|zero|skip",
     .help = "items without image: error, zero (black), skip"},
    {.name = "broken",
     .kind = OPTION_TEXT,
     .value = &arguments.broken,
     .argument = "WHAT",
     .choices = "error|zero|skip",
     .help = "images that cannot be read: error, zero, skip"},
    {.name = "resume",
     .kind = OPTION_FLAG,
     .value = &arguments.resume,
     .unrecorded = true,
     .help = "go on where a killed run with it stopped (FILE.part)"},
    {.name = "shard",
     .kind = OPTION_TEXT,
     .value = &arguments.shard,
     .argument = "I/N",
     .unrecorded = true,
     .help = "only part I, from 1, of the items cut into N"},
    {.name = "join",
     .kind = OPTION_FLAG,
     .value = &arguments.join,
     .help = "instead: join the image stores that are named"},
    {0},
};

static Program program = {
    .name = "pm-imgpack",
    .usage =
        "(--images DIR|--list F|--tar F|--pickled DB) --items I -o OUT\n"
        "       pm-imgpack --join A.lmdb B.lmdb... -o OUT",
    .purpose =
        "Decodes the image of each item (JPEG, PNG, WebP), resizes it as Pillow "
        "does, and packs all in one LMDB file, for pm-encode-image and pm-train-user.",
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

static json_t *signed_header(void) {
    json_t *header = json_object();
    header_sign(header, program.name, options_record(&program));
    return header;
}

static bool commit(ImageStoreWriter *writer, const Catalogue *catalogue, const ImagePack *packed,
                   Error *error) {
    json_t *header = signed_header();
    json_object_set_new(header, "recipe", image_recipe_geometry(&packed->recipe));
    header_add_input(header, "items", NULL);
    return image_store_commit(writer, packed->in_order ? NULL : catalogue->names, header,
                              json_pack("{s:O}", "items", catalogue->content), error);
}

/* What stands for a path, whose bytes need not be text. */
static json_t *content_of_path(const char *path) {
    ContentHash *hash = content_hash_create();
    content_hash_update(hash, path, strlen(path));
    json_t *content = content_of_hash(hash);
    content_hash_destroy(hash);
    return content;
}

/* What the images follow from: options, the place where they are, and the items. */
static json_t *describe_job(const Catalogue *catalogue, const ImageSource *source) {
    json_t *job = options_record(&program);
    const char *place = arguments.images ? "images"
                        : arguments.list ? "list"
                        : arguments.tar  ? "tar"
                                         : "pickled";
    json_object_set_new(job, place, content_of_path(source->name));
    json_object_set(job, "items", catalogue->content);
    if (arguments.shard) json_object_set_new(job, "shard", json_string(arguments.shard));
    return job;
}

static bool pack(const Catalogue *catalogue, const ImageSource *source, Error *error) {
    json_t *job = describe_job(catalogue, source);
    uint64_t first, count;
    shard_range(&arguments.part, name_table_count(catalogue->names), &first, &count);
    ImagePack choices = {.missing = choice_of(arguments.missing),
                         .broken = choice_of(arguments.broken),
                         .recipe = {.bicubic = !strcmp(arguments.resample, "bicubic"),
                                    .shortest_edge = (uint32_t)arguments.shortest_edge},
                         .first = first - 1,
                         .end = first - 1 + count,
                         .job = job};
    const uint32_t size = (uint32_t)arguments.size;
    ImageStoreWriter *writer = arguments.resume ? image_store_resume(arguments.output, size, error)
                                                : image_store_create(arguments.output, size, error);
    bool fine = writer;
    if (fine && !image_pack(&choices, source, catalogue->names, size, writer, error)) {
        image_store_abandon(writer);
        fine = false;
    }
    fine = fine && commit(writer, catalogue, &choices, error);
    if (fine) report(&choices, choices.end - choices.first);
    json_decref(job);
    return fine;
}

static bool pack_folder(const Catalogue *catalogue, Error *error) {
    ImageFolder *folder = image_folder_open(arguments.images, catalogue->names, error);
    const ImageSource source = folder ? image_folder_source(folder) : (ImageSource){0};
    const bool fine = folder && pack(catalogue, &source, error);
    image_folder_close(folder);
    return fine;
}

static bool pack_list(const Catalogue *catalogue, Error *error) {
    ImageList *list = image_list_open(arguments.list, catalogue->names, error);
    const ImageSource source = list ? image_list_source(list) : (ImageSource){0};
    const bool fine = list && pack(catalogue, &source, error);
    image_list_close(list);
    return fine;
}

static bool pack_tar(const Catalogue *catalogue, Error *error) {
    ImageTar *tar = image_tar_open(arguments.tar, error);
    const ImageSource source = tar ? image_tar_source(tar) : (ImageSource){0};
    const bool fine = tar && pack(catalogue, &source, error);
    image_tar_close(tar);
    return fine;
}

static bool pack_pickled(const Catalogue *catalogue, Error *error) {
    PickledImages *images = pickled_images_open(arguments.pickled, error);
    const ImageSource source = images ? pickled_images_source(images) : (ImageSource){0};
    const bool fine = images && pack(catalogue, &source, error);
    pickled_images_close(images);
    return fine;
}

/* Sets the options as an image encoder wants them. */
static bool follow_encoder(Error *error) {
    StreamReader *reader = stream_reader_open_kind(arguments.encoder, "encoder", error);
    if (!reader) return false;
    const json_t *config = json_object_get(stream_reader_header(reader), "config");
    ImageRecipe recipe;
    bool fine = json_object_get(config, "image_size") || error_set(error, "this is no image encoder");
    fine = fine && header_integer(config, "image_size", 1, IMAGE_MAX_SIZE, &arguments.size, error) &&
           image_recipe_read(&recipe, config, error);
    if (fine) {
        arguments.resample = recipe.bicubic ? "bicubic" : "bilinear";
        arguments.shortest_edge = recipe.shortest_edge;
    } else {
        error_prefix(error, "%s: ", arguments.encoder);
    }
    stream_reader_close(reader);
    return fine;
}

static bool run(Error *error) {
    Catalogue catalogue;
    if (arguments.encoder && !follow_encoder(error)) return false;
    if (arguments.shortest_edge && arguments.shortest_edge < arguments.size)
        return error_set(error, "--shortest-edge %" PRId64 " is less than the size of %" PRId64,
                         arguments.shortest_edge, arguments.size);
    if (!catalogue_read(&catalogue, arguments.items, error)) return false;
    const bool fine = arguments.images ? pack_folder(&catalogue, error)
                      : arguments.list ? pack_list(&catalogue, error)
                      : arguments.tar  ? pack_tar(&catalogue, error)
                                       : pack_pickled(&catalogue, error);
    catalogue_free(&catalogue);
    return fine;
}

static bool join(char *const *paths, size_t count, Error *error) {
    size_t images;
    if (!image_stores_join(paths, count, arguments.output, signed_header(), &images, error)) return false;
    log_report("%zu images from %zu stores", images, count);
    return true;
}

static bool is_given(const char *names) {
    for (const Option *option = options; option->name; option++)
        if (option->given && strstr(names, option->name)) return true;
    return false;
}

/* Ends the program when there are options that do not belong together. */
static void check_options(int operands) {
    Error error;
    const int sources = !!arguments.images + !!arguments.list + !!arguments.tar + !!arguments.pickled;
    if (!arguments.output) options_wrong_usage(&program, "-o names the image store to write");
    if (arguments.join && (sources || arguments.items || arguments.resume || arguments.shard))
        options_wrong_usage(&program, "--join takes image stores and -o, and nothing else");
    if (arguments.join && operands < 1) options_wrong_usage(&program, "--join needs the stores");
    if (arguments.join) return;
    if (sources != 1) options_wrong_usage(&program, "give one of --images, --list, --tar and --pickled");
    if (operands) options_wrong_usage(&program, "only --join takes operands");
    if (arguments.encoder && is_given("size|resample|shortest-edge"))
        options_wrong_usage(&program, "--encoder says size, filter and cut; give it or them");
    if (!arguments.items) options_wrong_usage(&program, "--items names the file of the items");
    if (!shard_parse(&arguments.part, arguments.shard, &error))
        options_wrong_usage(&program, "%s", error.message);
}

int main(int argc, char **argv) {
    const int first = options_parse(&program, argc, argv);
    check_options(argc - first);
    Error error;
    if (arguments.join ? join(argv + first, (size_t)(argc - first), &error) : run(&error)) return 0;
    log_error("%s", error.message);
    return 1;
}

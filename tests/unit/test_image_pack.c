#include "check.h"

#include "core/parallel.h"
#include "data/image_folder.h"
#include "stream/header.h"

#include <fcntl.h>
#include <unistd.h>
#include <xxhash.h>

enum { PATH_TEXT = 512, SIZE = 224, BYTES = 3 * SIZE * SIZE, HASH_TEXT = 33 };

static const char *golden(void) {
    static char path[PATH_TEXT];
    const char *project = getenv("PROJECT");
    snprintf(path, sizeof path, "%s/tests/golden/images", project ? project : ".");
    return path;
}

/* The hash that expected.tsv has for the file resized to 224. */
static bool read_expected(const char *file, char hash[HASH_TEXT]) {
    char path[PATH_TEXT + 32], line[512], name[128];
    snprintf(path, sizeof path, "%s/expected.tsv", golden());
    FILE *table = fopen(path, "r");
    bool found = false;
    while (table && !found && fgets(line, sizeof line, table))
        found = sscanf(line, "%127s\t%*u\t%*u\t%*s\t%*s\t%32s", name, hash) == 2 && !strcmp(name, file);
    if (table) fclose(table);
    return found;
}

/* In no order of theirs: neither that of the names nor that in which they finish. */
static const char *const items[] = {"large-420-1600x1200", "tiny-3x7",         "png-pal4-75x75",
                                    "cmyk-adobe-120x90",   "nobody",           "thin-2000x2",
                                    "arith-140x140",       "base-420-640x480", "grey-224x224",
                                    "png-grey1-61x45",     "thin-1x500",       "q5-400x300"};
static const char *const endings[] = {"jpg", "jpg", "png", "jpg", NULL,  "jpg",
                                      "jpg", "jpg", "jpg", "png", "jpg", "jpg"};
enum { COUNT = sizeof items / sizeof *items, NOBODY = 4 };

static NameTable *item_table(void) {
    NameTable *table = name_table_create();
    for (int i = 0; i < COUNT; i++)
        name_table_add(table, items[i], strlen(items[i]), NULL);
    return table;
}

/* What image_pack lists in the log is no message of these tests. */
static bool pack_silently(ImagePack *pack, const ImageSource *source, const NameTable *table,
                          ImageStoreWriter *writer, Error *error) {
    fflush(stderr);
    const int kept = dup(STDERR_FILENO), nothing = open("/dev/null", O_WRONLY);
    dup2(nothing, STDERR_FILENO);
    const bool fine = image_pack(pack, source, table, SIZE, writer, error);
    dup2(kept, STDERR_FILENO);
    close(kept);
    close(nothing);
    return fine;
}

static bool pack_into(const char *path, ImagePack *pack, const NameTable *table, Error *error) {
    ImageFolder *folder = image_folder_open(golden(), NULL, error);
    CHECK(folder, "%s", error->message);
    if (!folder) return false;
    const ImageSource source = image_folder_source(folder);
    pack->recipe = image_recipe_standard;
    pack->end = name_table_count(table);
    ImageStoreWriter *writer = image_store_create(path, SIZE, error);
    bool fine = writer && pack_silently(pack, &source, table, writer, error);
    if (fine) {
        json_t *header = json_object();
        header_sign(header, "test", NULL);
        fine = image_store_commit(writer, NULL, header, NULL, error);
    } else
        image_store_abandon(writer);
    image_folder_close(folder);
    return fine;
}

static void check_image(const StoredImage *image, int i) {
    char want[HASH_TEXT] = "", got[HASH_TEXT], file[128];
    CHECK(image->name_size == strlen(items[i]) && !memcmp(image->name, items[i], image->name_size), "%.*s",
          (int)image->name_size, image->name);
    if (i == NOBODY) {
        static const uint8_t black[BYTES];
        CHECK(!memcmp(image->pixels, black, BYTES));
        return;
    }
    snprintf(file, sizeof file, "%s.%s", items[i], endings[i]);
    const XXH128_hash_t hash = XXH3_128bits(image->pixels, BYTES);
    snprintf(got, sizeof got, "%016llx%016llx", (unsigned long long)hash.high64,
             (unsigned long long)hash.low64);
    CHECK(read_expected(file, want) && !strcmp(got, want), "%s", file);
}

static void packs_in_order(int threads) {
    char path[] = "/tmp/test_image_pack.XXXXXX";
    close(mkstemp(path));
    parallel_set_threads(threads);
    Error error = {""};
    NameTable *table = item_table();
    ImagePack pack = {.missing = PACK_ZERO, .broken = PACK_ERROR};
    CHECK(pack_into(path, &pack, table, &error), "%s", error.message);
    CHECK(pack.packed == COUNT && pack.missing_count == 1 && !pack.broken_count && !pack.damaged_count);
    ImageStore *store = image_store_open(path, &error);
    CHECK(store && image_store_count(store) == COUNT, "%s", error.message);
    StoredImage image;
    for (int i = 0; store && i < COUNT && image_store_next(store, &image, &error) > 0; i++)
        check_image(&image, i);
    CHECK(store && image_store_next(store, &image, &error) == 0, "%s", error.message);
    image_store_close(store);
    name_table_destroy(table);
    unlink(path);
}

static void packs_with_one_thread(void) {
    packs_in_order(1);
}

static void packs_with_many_threads(void) {
    packs_in_order(5);
}

/* tiny-1x1 is there as .jpg and as .png. */
static void refuses_two_images_of_one_item(void) {
    char path[] = "/tmp/test_image_pack.XXXXXX";
    close(mkstemp(path));
    unlink(path);
    Error error = {""};
    NameTable *table = name_table_create();
    name_table_add(table, "tiny-1x1", 8, NULL);
    ImagePack pack = {.missing = PACK_SKIP, .broken = PACK_SKIP};
    CHECK(!pack_into(path, &pack, table, &error));
    CHECK(strstr(error.message, "item tiny-1x1 has two images, tiny-1x1.jpg and tiny-1x1.png"), "%s",
          error.message);
    CHECK(access(path, F_OK));
    name_table_destroy(table);
}

static void refuses_to_pack_nothing(void) {
    char path[] = "/tmp/test_image_pack.XXXXXX";
    close(mkstemp(path));
    unlink(path);
    Error error = {""};
    NameTable *table = name_table_create();
    name_table_add(table, "broken", 6, NULL);
    ImagePack pack = {.missing = PACK_SKIP, .broken = PACK_SKIP};
    CHECK(!pack_into(path, &pack, table, &error) && strstr(error.message, "none of the 1 items"), "%s",
          error.message);
    CHECK(access(path, F_OK));
    name_table_destroy(table);
}

RUN_TESTS(TEST(packs_with_one_thread), TEST(packs_with_many_threads), TEST(refuses_two_images_of_one_item),
          TEST(refuses_to_pack_nothing))

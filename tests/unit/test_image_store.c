#include "check.h"

#include "core/file.h"
#include "core/random.h"
#include "data/image_store.h"
#include "stream/header.h"

#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SIZE = 40, BYTES = 3 * SIZE * SIZE, PATH_TEXT = 512 };

static char folder[] = "/tmp/test_image_store.XXXXXX";

static const char *path_of(const char *name) {
    static bool is_made;
    static char path[PATH_TEXT];
    if (!is_made) is_made = mkdtemp(folder);
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static void make_item(size_t number, char name[32], uint8_t pixels[BYTES]) {
    snprintf(name, 32, "item-%zu", (number * 7919) % 100003); /* not in the order of the keys */
    for (size_t i = 0; i < BYTES; i++)
        pixels[i] = (uint8_t)random_hash(number, i);
}

static json_t *signed_header(void) {
    json_t *header = json_object();
    header_sign(header, "test", json_pack("{s:i}", "size", SIZE));
    return header;
}

static bool write_store(const char *path, size_t count, Error *error) {
    ImageStoreWriter *writer = image_store_create(path, SIZE, error);
    if (!writer) return false;
    for (size_t i = 0; i < count; i++) {
        char name[32];
        uint8_t pixels[BYTES];
        make_item(i, name, pixels);
        if (!image_store_put(writer, name, strlen(name), pixels, error)) {
            image_store_abandon(writer);
            return false;
        }
    }
    return image_store_commit(writer, NULL, signed_header(),
                              json_pack("{s:{s:s}}", "items", "hash", "xxh3:00"), error);
}

static size_t files_in_folder(void) {
    size_t count = 0;
    DIR *directory = opendir(folder);
    for (const struct dirent *entry; directory && (entry = readdir(directory));)
        count += entry->d_name[0] != '.';
    if (directory) closedir(directory);
    return count;
}

/* 3000 images of 4800 bytes: the map of 1 MiB grows four times. */
static void grows_and_reads_back(void) {
    enum { COUNT = 3000 };
    const char *path = path_of("store.lmdb");
    Error error = {""};
    CHECK(write_store(path, COUNT, &error), "%s", error.message);
    CHECK(files_in_folder() == 1, "%zu files", files_in_folder());
    CHECK(image_store_is_one(path));
    ImageStore *store = image_store_open(path, &error);
    CHECK(store, "%s", error.message);
    if (!store) return;
    CHECK(image_store_count(store) == COUNT && image_store_size(store) == SIZE);
    char name[32];
    uint8_t pixels[BYTES];
    StoredImage image;
    for (int round = 0; round < 2; round++) {
        size_t differing = 0;
        for (size_t i = 0; i < COUNT; i++) {
            make_item(i, name, pixels);
            const int status = image_store_next(store, &image, &error);
            CHECK(status == 1, "%zu: %s", i, error.message);
            if (status != 1) break;
            differing += image.name_size != strlen(name) || memcmp(image.name, name, image.name_size) ||
                         memcmp(image.pixels, pixels, BYTES);
        }
        CHECK(!differing, "%zu differ", differing);
        CHECK(image_store_next(store, &image, &error) == 0, "%s", error.message);
        image_store_rewind(store);
    }
    make_item(2345, name, pixels);
    const uint8_t *found = image_store_find(store, name, strlen(name), &error);
    CHECK(found && !memcmp(found, pixels, BYTES));
    CHECK(!image_store_find(store, "nobody", 6, &error) && strstr(error.message, "no image of item nobody"),
          "%s", error.message);
    CHECK(!image_store_find(store, " header", 7, &error));
    image_store_close(store);
}

static void keeps_its_provenance(void) {
    const char *path = path_of("provenance.lmdb");
    Error error = {""};
    CHECK(write_store(path, 3, &error), "%s", error.message);
    ImageStore *store = image_store_open(path, &error);
    CHECK(store, "%s", error.message);
    if (!store) return;
    json_t *stream = header_create("hidden");
    header_sign(stream, "pm-encode-image", NULL);
    header_add_input(stream, "image", image_store_header(store));
    const json_t *image =
        json_object_get(json_object_get(json_object_get(stream, "provenance"), "inputs"), "image");
    const char *tool = json_string_value(json_object_get(image, "tool"));
    CHECK(tool && !strcmp(tool, "test"));
    json_decref(stream);
    json_t *content = image_store_content(store);
    const char *hash = json_string_value(json_object_get(content, "hash"));
    CHECK(hash && !strncmp(hash, "xxh3:", 5) && strlen(hash) == 37);
    CHECK(json_object_get(json_object_get(content, "inputs"), "items"));
    json_decref(content);
    image_store_close(store);
}

static void is_the_same_every_time(void) {
    Error error = {""};
    char first[PATH_TEXT];
    snprintf(first, sizeof first, "%s", path_of("first.lmdb"));
    const char *second = path_of("second.lmdb");
    CHECK(write_store(first, 700, &error) && write_store(second, 700, &error), "%s", error.message);
    size_t sizes[2] = {0};
    unsigned char *one = file_read(first, 1 << 26, &sizes[0], &error);
    unsigned char *two = file_read(second, 1 << 26, &sizes[1], &error);
    CHECK(one && two && sizes[0] == sizes[1] && !memcmp(one, two, sizes[0]), "%zu and %zu bytes", sizes[0],
          sizes[1]);
    CHECK(sizes[0] < (700 * 2 + 40) * 4096, "%zu bytes", sizes[0]);
    free(one);
    free(two);
}

static void refuses_bad_names(void) {
    Error error = {""};
    char long_name[IMAGE_STORE_MAX_NAME + 2];
    memset(long_name, 'x', sizeof long_name);
    static const uint8_t pixels[BYTES];
    ImageStoreWriter *writer = image_store_create(path_of("names.lmdb"), SIZE, &error);
    CHECK(writer, "%s", error.message);
    if (!writer) return;
    CHECK(image_store_put(writer, long_name, IMAGE_STORE_MAX_NAME, pixels, &error), "%s", error.message);
    CHECK(!image_store_put(writer, long_name, IMAGE_STORE_MAX_NAME + 1, pixels, &error) &&
              strstr(error.message, "has 512 bytes; an image store takes 511"),
          "%s", error.message);
    CHECK(!image_store_put(writer, "a", 0, pixels, &error));
    CHECK(!image_store_put(writer, " header", 7, pixels, &error));
    CHECK(!image_store_put(writer, "a\nb", 3, pixels, &error));
    CHECK(image_store_put(writer, "twice", 5, pixels, &error));
    CHECK(!image_store_put(writer, "twice", 5, pixels, &error) &&
              strstr(error.message, "twice is in it already"),
          "%s", error.message);
    image_store_abandon(writer);
    CHECK(access(path_of("names.lmdb"), F_OK));
}

static void leaves_the_old_one(void) {
    Error error = {""};
    const char *path = path_of("kept.lmdb");
    CHECK(write_store(path, 5, &error), "%s", error.message);
    const size_t files = files_in_folder();
    ImageStoreWriter *writer = image_store_create(path, SIZE, &error);
    static const uint8_t pixels[BYTES];
    CHECK(writer && image_store_put(writer, "new", 3, pixels, &error));
    image_store_abandon(writer);
    ImageStore *store = image_store_open(path, &error);
    CHECK(store && image_store_count(store) == 5, "%s", error.message);
    image_store_close(store);
    CHECK(write_store(path, 7, &error), "%s", error.message);
    store = image_store_open(path, &error);
    CHECK(store && image_store_count(store) == 7, "%s", error.message);
    image_store_close(store);
    CHECK(files_in_folder() == files);
    CHECK(!image_store_create(path_of("no/such/folder.lmdb"), SIZE, &error));
    CHECK(!image_store_create("/dev/null", SIZE, &error) && strstr(error.message, "regular file"), "%s",
          error.message);
}

static void write_bytes(const char *path, const void *bytes, size_t size) {
    FILE *file = fopen(path, "wb");
    CHECK(file && fwrite(bytes, 1, size, file) == size);
    if (file) fclose(file);
}

static void refuses_foreign_files(void) {
    Error error = {""};
    const char *path = path_of("foreign");
    write_bytes(path, "item\ttext\n", 10);
    CHECK(!image_store_is_one(path) && !image_store_open(path, &error));
    write_bytes(path, "", 0);
    CHECK(!image_store_is_one(path) && !image_store_open(path, &error) && strstr(error.message, "is empty"),
          "%s", error.message);
    CHECK(!image_store_is_one(folder) && !image_store_open(folder, &error));
    CHECK(!image_store_is_one("/no/such/file") && !image_store_open("/no/such/file", &error));
}

/* Opens the file and reads all there is: 1 when all went well, 0 when there was an error. */
static int read_all(const char *path, size_t *count) {
    Error error = {""};
    ImageStore *store = image_store_open(path, &error);
    int status = -1;
    unsigned sum = 0;
    if (store) {
        StoredImage image;
        while ((status = image_store_next(store, &image, &error)) > 0)
            for (size_t i = 0; i < BYTES; i++)
                sum += image.pixels[i];
        *count = image_store_count(store);
    }
    CHECK(status == 0 || (error.message[0] && !strchr(error.message, '\n')));
    CHECK(sum != 1);
    image_store_close(store);
    return status == 0;
}

static void survives_any_damage(void) {
    enum { COUNT = 120 };
    Error error = {""};
    size_t size = 0, count = 0, refused = 0;
    char path[PATH_TEXT];
    snprintf(path, sizeof path, "%s", path_of("damaged.lmdb"));
    CHECK(write_store(path, COUNT, &error), "%s", error.message);
    CHECK(read_all(path, &count) && count == COUNT);
    unsigned char *bytes = file_read(path, 1 << 26, &size, &error), *damaged = malloc(size);
    if (!bytes) return;
    Random random;
    random_seed(&random, 7, 0);
    for (int i = 0; i < 60; i++) {
        write_bytes(path, bytes, (size_t)random_below(&random, size));
        CHECK(!read_all(path, &count));
    }
    for (int i = 0; i < 1500; i++) {
        memcpy(damaged, bytes, size);
        /* Two of three times where the tree is: in the heads, or in a page that is not an image's. */
        size_t page = (size_t)random_below(&random, size / 4096);
        while (i % 3 && page > 1 && !(bytes[page * 4096 + 10] & 3))
            page = (size_t)random_below(&random, size / 4096);
        for (int k = 0; k <= i % 3; k++)
            damaged[page * 4096 + random_below(&random, i % 2 ? 4096 : 64)] = (uint8_t)random_next(&random);
        write_bytes(path, damaged, size);
        refused += !read_all(path, &count);
    }
    CHECK(refused > 500 && refused < 1500, "%zu", refused);
    free(damaged);
    free(bytes);
}

static void notices_changed_pixels(void) {
    Error error = {""};
    size_t size = 0, count = 0;
    char path[PATH_TEXT], name[32];
    uint8_t pixels[BYTES];
    snprintf(path, sizeof path, "%s", path_of("pixels.lmdb"));
    CHECK(write_store(path, 20, &error), "%s", error.message);
    unsigned char *bytes = file_read(path, 1 << 26, &size, &error);
    if (!bytes) return;
    make_item(11, name, pixels);
    unsigned char *image = memmem(bytes, size, pixels, BYTES);
    CHECK(image);
    if (image) image[BYTES / 2] ^= 1;
    write_bytes(path, bytes, size);
    CHECK(!read_all(path, &count) && count == 20);
    free(bytes);
}

static void removes_its_folder(void) {
    DIR *directory = opendir(folder);
    CHECK(directory);
    for (const struct dirent *entry; directory && (entry = readdir(directory));)
        if (entry->d_name[0] != '.') unlink(path_of(entry->d_name));
    if (directory) closedir(directory);
    CHECK(!rmdir(folder));
}

RUN_TESTS(TEST(grows_and_reads_back), TEST(keeps_its_provenance), TEST(is_the_same_every_time),
          TEST(refuses_bad_names), TEST(leaves_the_old_one), TEST(refuses_foreign_files),
          TEST(survives_any_damage), TEST(notices_changed_pixels), TEST(removes_its_folder))

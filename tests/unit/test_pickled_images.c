/* PMMRec's LMDB of pickled images, made here byte by byte as Python's pickle writes it. */
#include "check.h"

#include "core/memory.h"
#include "data/image_resize.h"
#include "data/pickled_images.h"

#include <lmdb.h>
#include <unistd.h>

enum { ROOM = 4096, HEIGHT = 5, WIDTH = 7, BYTES = 3 * HEIGHT * WIDTH };

typedef struct Bytes {
    uint8_t at[ROOM];
    size_t size;
} Bytes;

static char path[] = "/tmp/test_pickled_images.XXXXXX";

static void put(Bytes *bytes, const void *more, size_t size) {
    if (bytes->size + size > ROOM) abort();
    memcpy(bytes->at + bytes->size, more, size);
    bytes->size += size;
}

#define PUT(bytes, text) put(bytes, text, sizeof(text) - 1)

static void put_length(Bytes *bytes, char opcode, uint32_t length) {
    put(bytes, &opcode, 1);
    put(bytes, &length, sizeof length);
}

/* Pixels that use every value of a byte's upper half and lower half. */
static uint8_t pixel(uint8_t seed, size_t i) {
    return (uint8_t)(seed + 37 * i);
}

/* Protocol 5 differs in its number and, where the image is a bytearray, in an opcode. */
static Bytes protocol_5(Bytes four) {
    uint8_t *image = memmem(four.at, four.size,
                            "image\x94"
                            "B",
                            7);
    four.at[1] = 5;
    CHECK(image);
    if (!image) return four;
    Bytes five = {.size = 0};
    const size_t before = (size_t)(image + 6 - four.at);
    put(&five, four.at, before);
    PUT(&five, "\x96");
    put(&five, &(uint64_t){BYTES}, sizeof(uint64_t));
    put(&five, four.at + before + 5, four.size - before - 5);
    return five;
}

static Bytes protocol_4(uint8_t seed) {
    Bytes bytes = {.size = 0};
    PUT(&bytes,
        "\x80\x04\x95\x90\x00\x00\x00\x00\x00\x00\x00\x8c\x08__main__\x94\x8c\x0aLMDB_Image\x94\x93\x94)"
        "\x81\x94}\x94(\x8c\x08"
        "channels\x94K\x03\x8c\x04size\x94K\x05K\x07\x86\x94\x8c\x05image\x94");
    put_length(&bytes, 'B', BYTES);
    for (size_t i = 0; i < BYTES; i++)
        put(&bytes, &(uint8_t){pixel(seed, i)}, 1);
    PUT(&bytes, "\x94ub.");
    return bytes;
}

/* Python 3 writes bytes in protocol 2 as a call of _codecs.encode on a text. */
static Bytes protocol_2(uint8_t seed, const char *class_name) {
    Bytes bytes = {.size = 0}, text = {.size = 0};
    PUT(&bytes, "\x80\x02");
    put(&bytes, class_name, strlen(class_name));
    PUT(&bytes,
        "q\x00)\x81q\x01}q\x02(X\x08\x00\x00\x00"
        "channelsq\x03K\x03X\x04\x00\x00\x00sizeq\x04K\x05K\x07\x86q\x05X\x05\x00\x00\x00image"
        "q\x06"
        "c_codecs\nencode\nq\x07");
    for (size_t i = 0; i < BYTES; i++) {
        const uint8_t byte = pixel(seed, i);
        if (byte >= 0x80)
            put(&text, (uint8_t[]){(uint8_t)(0xc0 | byte >> 6), (uint8_t)(0x80 | (byte & 0x3f))}, 2);
        else
            put(&text, &byte, 1);
    }
    put_length(&bytes, 'X', (uint32_t)text.size);
    put(&bytes, text.at, text.size);
    PUT(&bytes, "q\x08X\x06\x00\x00\x00latin1q\x09\x86q\x0aRq\x0bub.");
    return bytes;
}

/* With `from` replaced by `to` of the same length. */
static Bytes altered(Bytes bytes, const char *from, const char *to, size_t size) {
    uint8_t *found = memmem(bytes.at, bytes.size, from, size);
    CHECK(found);
    if (found) memcpy(found, to, size);
    return bytes;
}

static void store(MDB_txn *transaction, MDB_dbi database, const char *key, Bytes bytes) {
    MDB_val name = {strlen(key), (void *)key}, value = {bytes.size, bytes.at};
    CHECK(!mdb_put(transaction, database, &name, &value, 0));
}

static void remove_store(void) {
    unlink(path);
}

static void make_store(void) {
    MDB_env *environment;
    MDB_txn *transaction;
    MDB_dbi database;
    if (strstr(path, "XXXXXX")) {
        close(mkstemp(path));
        atexit(remove_store);
    }
    unlink(path);
    const bool open =
        !mdb_env_create(&environment) && !mdb_env_open(environment, path, MDB_NOSUBDIR | MDB_NOLOCK, 0644) &&
        !mdb_txn_begin(environment, NULL, 0, &transaction) && !mdb_dbi_open(transaction, NULL, 0, &database);
    CHECK(open);
    const Bytes four = protocol_4(3), two = protocol_2(5, "c__main__\nLMDB_Image\n");
    Bytes cut = four, keys = {.size = 0};
    cut.size -= 60;
    PUT(&keys, "\x80\x04]\x94.");
    store(transaction, database, "12", four);
    store(transaction, database, "3", two);
    store(transaction, database, "name", protocol_4(7));
    store(transaction, database, "5", protocol_5(protocol_4(9)));
    store(transaction, database, "__keys__", keys);
    store(transaction, database, "100", cut);
    store(transaction, database, "101", altered(four, "K\x05", "K\x04", 2));
    store(transaction, database, "102", altered(four, "K\x03", "K\x04", 2));
    store(transaction, database, "103", altered(four, "channels", "chennels", 8));
    store(transaction, database, "104", altered(four, "K\x05K\x07\x86", "K\x00K\x07\x86", 5));
    store(transaction, database, "105", protocol_2(5, "cposix\nsystem\n"));
    store(transaction, database, "106", altered(two, "latin1q\x09\x86", "latin1q\x09\x85", 9));
    store(transaction, database, "107", keys);
    store(transaction, database, "108", altered(two, "image", "emage", 5));
    CHECK(!mdb_txn_commit(transaction));
    mdb_env_close(environment);
}

/* The item's image resized to size × size; NULL with the source's message when there is none. */
static uint8_t *load(const char *item, uint32_t size, Error *error) {
    PickledImages *images = pickled_images_open(path, error);
    CHECK(images, "%s", error->message);
    if (!images) return NULL;
    const ImageSource source = pickled_images_source(images);
    uint8_t *pixels = memory_need(3 * (size_t)size, size);
    ImageResizer *resizer = image_resizer_create(size, &image_recipe_standard);
    const ImageSink sink = image_resizer_sink(resizer, pixels);
    Error warning;
    const bool fine = source.find(source.context, item, strlen(item), error) == 1 &&
                      source.load(source.context, item, strlen(item), &sink, &warning, error);
    image_resizer_destroy(resizer);
    pickled_images_close(images);
    if (fine) return pixels;
    free(pixels);
    return NULL;
}

/* What the sink gets, row by row. */
static uint8_t taken[BYTES];
static uint32_t taken_rows;

static bool begin(void *context, uint32_t width, uint32_t height, Error *error) {
    (void)context, (void)error;
    CHECK(width == WIDTH && height == HEIGHT);
    taken_rows = 0;
    return true;
}

static void take_row(void *context, const uint8_t *pixels) {
    (void)context;
    for (size_t x = 0; x < WIDTH; x++)
        memcpy(taken + 3 * (taken_rows * WIDTH + x), pixels + IMAGE_PIXEL * x, 3);
    taken_rows++;
}

static void expect(const char *item, uint8_t seed) {
    Error error = {""}, warning;
    PickledImages *images = pickled_images_open(path, &error);
    CHECK(images, "%s", error.message);
    if (!images) return;
    const ImageSource source = pickled_images_source(images);
    const ImageSink sink = {NULL, begin, take_row};
    CHECK(source.find(source.context, item, strlen(item), &error) == 1, "%s", item);
    CHECK(source.load(source.context, item, strlen(item), &sink, &warning, &error), "%s", error.message);
    CHECK(taken_rows == HEIGHT);
    for (size_t i = 0; i < BYTES; i++)
        if (taken[i] != pixel(seed, i)) {
            CHECK(false, "%s: byte %zu", item, i);
            break;
        }
    pickled_images_close(images);
}

static void images_of_all_protocols_come_back(void) {
    make_store();
    expect("v5", 9);
    expect("v12", 3);
    expect("12", 3);
    expect("v0012", 3);
    expect("v3", 5);
    expect("name", 7);
}

static void an_item_without_an_image_is_not_found(void) {
    make_store();
    Error error = {""};
    PickledImages *images = pickled_images_open(path, &error);
    const ImageSource source = pickled_images_source(images);
    static const char *const items[] = {"v1", "v", "v13", "vv12", "nam", "v00"};
    for (size_t i = 0; i < sizeof items / sizeof *items; i++)
        CHECK(source.find(source.context, items[i], strlen(items[i]), &error) == 0, "%s", items[i]);
    char longest[600];
    memset(longest, '1', sizeof longest);
    CHECK(source.find(source.context, longest, sizeof longest, &error) == 0);
    pickled_images_close(images);
}

static void what_is_no_image_is_refused_by_name(void) {
    make_store();
    static const struct {
        const char *item, *message;
    } bad[] = {{"v100", "105 bytes where 49 are left"},
               {"v101", "does not hold 84 bytes"},
               {"v102", "channels"},
               {"v103", "channels"},
               {"v104", "size is not"},
               {"v105", "posix.system"},
               {"v106", "a key without a value"},
               {"v107", "no instance"},
               {"v108", "does not hold"}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        Error error = {""};
        uint8_t *pixels = load(bad[i].item, 8, &error);
        CHECK(!pixels && strstr(error.message, bad[i].message) && strstr(error.message, bad[i].item) &&
                  strstr(error.message, path),
              "%s: %s", bad[i].item, error.message);
        free(pixels);
    }
}

/* Every cut and every changed byte: an image or a message, and no access outside of the pickle. */
static void damage_never_crashes(void) {
    const Bytes whole[] = {protocol_4(3), protocol_2(5, "c__main__\nLMDB_Image\n")};
    for (size_t w = 0; w < 2; w++)
        for (size_t i = 0; i < whole[w].size; i += 16) { /* sixteen damages in each store */
            MDB_env *environment;
            MDB_txn *transaction;
            MDB_dbi database;
            unlink(path);
            CHECK(!mdb_env_create(&environment) &&
                  !mdb_env_open(environment, path, MDB_NOSUBDIR | MDB_NOLOCK | MDB_NOSYNC, 0644) &&
                  !mdb_txn_begin(environment, NULL, 0, &transaction) &&
                  !mdb_dbi_open(transaction, NULL, 0, &database));
            char key[32];
            for (size_t j = i; j < i + 16 && j < whole[w].size; j++) {
                Bytes cut = whole[w], changed = whole[w];
                cut.size = j;
                changed.at[j] ^= (uint8_t)(1u << (j % 8));
                snprintf(key, sizeof key, "%zu", 2 * j);
                if (j) store(transaction, database, key, cut);
                snprintf(key, sizeof key, "%zu", 2 * j + 1);
                store(transaction, database, key, changed);
            }
            CHECK(!mdb_txn_commit(transaction));
            mdb_env_close(environment);
            for (size_t j = i; j < i + 16 && j < whole[w].size; j++) {
                Error error = {""};
                uint8_t *pixels;
                snprintf(key, sizeof key, "v%zu", 2 * j);
                pixels = j ? load(key, 8, &error) : NULL;
                CHECK(!pixels, "cut at %zu", j);
                snprintf(key, sizeof key, "v%zu", 2 * j + 1);
                pixels = load(key, 8, &error);
                CHECK(pixels || error.message[0], "changed at %zu", j);
                free(pixels);
            }
        }
}

RUN_TESTS(TEST(images_of_all_protocols_come_back), TEST(an_item_without_an_image_is_not_found),
          TEST(what_is_no_image_is_refused_by_name), TEST(damage_never_crashes))

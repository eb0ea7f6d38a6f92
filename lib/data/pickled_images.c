#include "data/pickled_images.h"

#include "arrays/pickle.h"
#include "core/memory.h"
#include "data/lmdb_reader.h"

#include <ctype.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum { CHANNELS = 3 };

struct PickledImages {
    char *path;
    LmdbReader reader;
    pthread_mutex_t lock; /* of the reader */
};

/* An image as its pickle describes it. */
typedef struct PickledImage {
    uint32_t width, height;
    uint8_t *bytes; /* RGB [height, width, 3], to be freed */
} PickledImage;

/* Whether it is an instance of the class, in whatever module a script had it. */
static bool is_image(const PickleValue *value) {
    static const char class_name[] = ".LMDB_Image";
    const size_t length = strlen(class_name);
    const PickleValue *class = value->kind == PICKLE_OBJECT ? value->object->callee : NULL;
    return class && class->kind == PICKLE_GLOBAL && class->text.size > length &&
           !memcmp(class->text.bytes + class->text.size - length, class_name, length);
}

PickledImages *pickled_images_open(const char *path, Error *error) {
    PickledImages *images = memory_need(1, sizeof *images);
    struct stat status;
    const bool is_folder = !stat(path, &status) && S_ISDIR(status.st_mode);
    images->path = memory_format("%s%s", path, is_folder ? "/data.mdb" : "");
    pthread_mutex_init(&images->lock, NULL);
    if (lmdb_reader_open(&images->reader, images->path, error)) return images;
    pickled_images_close(images);
    return NULL;
}

void pickled_images_close(PickledImages *images) {
    if (!images) return;
    lmdb_reader_close(&images->reader);
    pthread_mutex_destroy(&images->lock);
    free(images->path);
    free(images);
}

static bool get(const PickledImages *images, const char *key, size_t size, MDB_val *value) {
    pthread_mutex_t *lock = (pthread_mutex_t *)&images->lock;
    pthread_mutex_lock(lock);
    const bool found =
        size && size <= IMAGE_STORE_MAX_NAME && lmdb_reader_get(&images->reader, key, size, value);
    pthread_mutex_unlock(lock);
    return found;
}

static bool find_value(const PickledImages *images, const char *item, size_t size, MDB_val *value) {
    const char *number = item + (size > 1 && item[0] == 'v'), *end = item + size;
    bool is_number = true;
    for (const char *at = number; at < end; at++)
        is_number = is_number && isdigit((unsigned char)*at);
    while (is_number && number + 1 < end && *number == '0')
        number++;
    return get(images, number, (size_t)(end - number), value) || get(images, item, size, value);
}

static int find(const void *context, const char *item, size_t size, Error *error) {
    (void)error;
    MDB_val value;
    return find_value(context, item, size, &value);
}

static bool is_integer(const PickleValue *value, int64_t minimum, int64_t maximum) {
    return value && value->kind == PICKLE_INTEGER && value->integer >= minimum && value->integer <= maximum;
}

/* Bytes that protocol 2 writes as a text of the characters U+0000 … U+00FF. */
static uint8_t *bytes_of_latin_text(const PickleValue *text, size_t wanted) {
    if (text->text.size < wanted) return NULL;
    uint8_t *bytes = memory_need(wanted + 1, 1);
    const uint8_t *at = (const uint8_t *)text->text.bytes, *end = at + text->text.size;
    size_t count = 0;
    for (; at < end && count < wanted; count++) {
        const bool two = at[0] >= 0x80;
        if (two && (at[0] > 0xc3 || end - at < 2)) break;
        bytes[count] = (uint8_t)(two ? at[0] << 6 | (at[1] & 0x3f) : at[0]);
        at += two ? 2 : 1;
    }
    if (count == wanted && at == end) return bytes;
    free(bytes);
    return NULL;
}

/* The `wanted` bytes of the attribute, or NULL when it does not have that many. */
static uint8_t *read_bytes(const PickleValue *value, size_t wanted) {
    if (value && value->kind == PICKLE_BYTES && value->text.size == wanted) {
        uint8_t *bytes = memory_need(wanted + 1, 1);
        memcpy(bytes, value->text.bytes, wanted);
        return bytes;
    }
    const bool encoded = value && value->kind == PICKLE_OBJECT &&
                         pickle_is_global(value->object->callee, "_codecs.encode") &&
                         pickle_count(value->object->arguments) == 2;
    const PickleValue *text = encoded ? pickle_item(value->object->arguments, 0) : NULL;
    return text && text->kind == PICKLE_STRING ? bytes_of_latin_text(text, wanted) : NULL;
}

static bool read_image(const PickleValue *root, PickledImage *image, Error *error) {
    char text[PICKLE_TEXT];
    const PickleValue *state = is_image(root) ? root->object->state : NULL;
    if (!state || state->kind != PICKLE_DICT)
        return error_set(error,
                         "the pickle holds a %s, no instance of LMDB_Image; nothing in it was executed",
                         pickle_describe(root, text));
    const PickleValue *size = pickle_get(state, "size");
    if (!size || size->kind != PICKLE_TUPLE || pickle_count(size) != 2 ||
        !is_integer(pickle_item(size, 0), 1, UINT32_MAX) || !is_integer(pickle_item(size, 1), 1, UINT32_MAX))
        return error_set(error, "its size is not a height and a width");
    if (!is_integer(pickle_get(state, "channels"), CHANNELS, CHANNELS))
        return error_set(error, "its channels are not %d (red, green, blue)", CHANNELS);
    image->height = (uint32_t)pickle_item(size, 0)->integer;
    image->width = (uint32_t)pickle_item(size, 1)->integer;
    if (!image_check_size(image->width, image->height, error)) return false;
    const size_t wanted = CHANNELS * (size_t)image->height * image->width;
    image->bytes = read_bytes(pickle_get(state, "image"), wanted);
    return image->bytes || error_set(error, "its image does not hold %zu bytes, as its size %u × %u says",
                                     wanted, image->height, image->width);
}

static bool give_rows(const PickledImage *image, const ImageSink *sink, Error *error) {
    if (!sink->begin(sink->context, image->width, image->height, error)) return false;
    uint8_t *row = memory_need(image->width, IMAGE_PIXEL);
    const uint8_t *from = image->bytes;
    for (uint32_t y = 0; y < image->height; y++) {
        for (uint32_t x = 0; x < image->width; x++, from += CHANNELS)
            memcpy(row + (size_t)x * IMAGE_PIXEL, from, CHANNELS);
        sink->row(sink->context, row);
    }
    free(row);
    return true;
}

static bool load(const void *context, const char *item, size_t size, const ImageSink *sink, Error *warning,
                 Error *error) {
    const PickledImages *images = context;
    MDB_val value;
    PickledImage image = {0};
    warning->message[0] = 0;
    bool fine = find_value(images, item, size, &value) || error_set(error, "it is not there");
    Pickle *pickle = fine ? pickle_parse(value.mv_data, value.mv_size, NULL, error) : NULL;
    fine = pickle && read_image(pickle_root(pickle), &image, error) && give_rows(&image, sink, error);
    free(image.bytes);
    pickle_free(pickle);
    return fine || error_prefix(error, "%s: item %.*s: ", images->path, (int)size, item);
}

ImageSource pickled_images_source(const PickledImages *images) {
    return (ImageSource){.context = images, .name = images->path, .find = find, .load = load};
}

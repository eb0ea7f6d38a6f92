#include "data/image_decode.h"

#include "core/memory.h"
#include "data/image_format.h"

#include <string.h>

typedef struct Signature {
    const char *bytes;
    size_t offset, size;
    const char *name;
} Signature;

/* Formats that are known well enough to be named in a refusal. */
static const Signature foreign[] = {
    {"GIF8", 0, 4, "GIF"},
    {"BM", 0, 2, "BMP"},
    {"II*\0", 0, 4, "TIFF"},
    {"MM\0*", 0, 4, "TIFF"},
    {"ftypavif", 4, 8, "AVIF"},
    {"ftypavis", 4, 8, "AVIF"},
    {"ftypheic", 4, 8, "HEIC"},
    {"\xff\x0a", 0, 2, "JPEG XL"},
    {"\0\0\0\x0cJXL ", 0, 8, "JPEG XL"},
    {"%PDF", 0, 4, "PDF"},
    {"\0\0\0\x0cjP", 0, 6, "JPEG 2000"},
    {"<svg", 0, 4, "SVG"},
    {"<!DOCTYPE", 0, 9, "HTML"},
    {"<html", 0, 5, "HTML"},
};

static bool matches(const uint8_t *bytes, size_t size, const char *signature, size_t offset, size_t length) {
    return size >= offset + length && !memcmp(bytes + offset, signature, length);
}

static bool refuse_format(const uint8_t *bytes, size_t size, Error *error) {
    if (!size) return error_set(error, "the file is empty");
    for (size_t i = 0; i < sizeof foreign / sizeof *foreign; i++)
        if (matches(bytes, size, foreign[i].bytes, foreign[i].offset, foreign[i].size))
            return error_set(error, "a%s %s file; convert it to JPEG, PNG or WebP",
                             strchr("AH", *foreign[i].name) ? "n" : "", foreign[i].name);
    return error_set(error, "neither a JPEG nor a PNG nor a WebP file");
}

bool image_decode(const uint8_t *bytes, size_t size, const ImageSink *sink, Error *warning, Error *error) {
    warning->message[0] = 0;
    if (matches(bytes, size, "\xff\xd8\xff", 0, 3))
        return image_decode_jpeg(bytes, size, sink, warning, error);
    if (matches(bytes, size, "\x89PNG\r\n\x1a\n", 0, 8))
        return image_decode_png(bytes, size, sink, warning, error);
    if (matches(bytes, size, "RIFF", 0, 4) && matches(bytes, size, "WEBP", 8, 4))
        return image_decode_webp(bytes, size, sink, warning, error);
    return refuse_format(bytes, size, error);
}

typedef struct WholeImage {
    Image *image;
    uint32_t rows;
} WholeImage;

static bool begin_whole(void *context, uint32_t width, uint32_t height, Error *error) {
    Image *image = ((WholeImage *)context)->image;
    *image = (Image){width, height, memory_allocate((size_t)width * height, 3, error)};
    return image->pixels != NULL;
}

static void add_row(void *context, const uint8_t *pixels) {
    WholeImage *whole = context;
    const size_t width = whole->image->width;
    uint8_t *row = whole->image->pixels + whole->rows++ * width * 3;
    for (size_t x = 0; x < width; x++)
        memcpy(row + 3 * x, pixels + IMAGE_PIXEL * x, 3);
}

bool image_decode_whole(const uint8_t *bytes, size_t size, Image *image, Error *warning, Error *error) {
    WholeImage whole = {image, 0};
    *image = (Image){0};
    if (image_decode(bytes, size, &(ImageSink){&whole, begin_whole, add_row}, warning, error)) return true;
    free(image->pixels);
    *image = (Image){0};
    return false;
}

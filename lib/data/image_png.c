#include "data/image_format.h"

#include "core/memory.h"

#include <png.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

/* Lives in the caller's frame, outside the one that calls setjmp, so that a longjmp leaves it defined. */
typedef struct Decoder {
    png_structp library;
    png_infop info;
    const uint8_t *bytes;
    size_t size, used;
    uint32_t width, height;
    int colours, depth, passes;
    size_t row_bytes; /* as they come from the library */
    uint8_t *pixels;  /* one row of them; of an interlaced file, all rows */
    uint8_t *row;     /* as it goes to the sink, or NULL where that is the same */
    uint8_t palette[256][IMAGE_PIXEL];
    size_t missing; /* bytes that the library wanted and did not get */
    Error *warning, *error;
} Decoder;

static void *take(png_structp library, size_t size) {
    void *block = malloc(size);
    if (!block) ((Decoder *)png_get_mem_ptr(library))->missing = size;
    return block;
}

static void give_back(png_structp library, void *block) {
    (void)library;
    free(block);
}

static void fail(png_structp library, png_const_charp text) {
    Decoder *decoder = png_get_error_ptr(library);
    if (decoder->missing)
        memory_error(decoder->error, 1, decoder->missing);
    else
        error_set(decoder->error, "broken PNG: %s", text);
    png_longjmp(library, 1);
}

static void note(png_structp library, png_const_charp text) {
    Decoder *decoder = png_get_error_ptr(library);
    if (!decoder->warning->message[0]) error_set(decoder->warning, "%s", text);
}

static void read_bytes(png_structp library, png_bytep target, size_t wanted) {
    Decoder *decoder = png_get_io_ptr(library);
    if (wanted > decoder->size - decoder->used) {
        error_set(decoder->error, "truncated PNG: the file ends after %zu bytes", decoder->size);
        png_longjmp(library, 1);
    }
    memcpy(target, decoder->bytes + decoder->used, wanted);
    decoder->used += wanted;
}

/* Damage is an error in every chunk but IDAT, whose own checksum inside (of zlib) remains. Chunks that change
 * no stored value (text, gamma, profiles) are checked and passed over. */
static void read_header(Decoder *decoder) {
    png_structp library = decoder->library;
    png_set_read_fn(library, decoder, read_bytes);
    png_set_crc_action(library, PNG_CRC_ERROR_QUIT, PNG_CRC_ERROR_QUIT);
    png_set_keep_unknown_chunks(library, PNG_HANDLE_CHUNK_NEVER, NULL, -1);
    png_set_benign_errors(library, 1);
    png_read_info(library, decoder->info);
    png_set_crc_action(library, PNG_CRC_QUIET_USE, PNG_CRC_ERROR_QUIT);
    decoder->width = png_get_image_width(library, decoder->info);
    decoder->height = png_get_image_height(library, decoder->info);
    decoder->colours = png_get_color_type(library, decoder->info);
    decoder->depth = png_get_bit_depth(library, decoder->info);
}

static bool is_grey16(const Decoder *decoder) {
    return decoder->colours == PNG_COLOR_TYPE_GRAY && decoder->depth == 16;
}

/* An index behind the palette's end becomes a grey, as Pillow has it. */
static void read_palette(Decoder *decoder) {
    png_colorp colours = NULL;
    int count = 0;
    png_get_PLTE(decoder->library, decoder->info, &colours, &count);
    for (int i = 0; i < 256; i++) {
        const uint8_t grey = (uint8_t)i;
        uint8_t *entry = decoder->palette[i];
        entry[0] = i < count ? colours[i].red : grey;
        entry[1] = i < count ? colours[i].green : grey;
        entry[2] = i < count ? colours[i].blue : grey;
    }
}

/* Palette indices and grey of 16 bits are converted here, everything else by the library. */
static void choose_conversion(Decoder *decoder) {
    png_structp library = decoder->library;
    if (decoder->colours == PNG_COLOR_TYPE_PALETTE) {
        png_set_packing(library);
        png_set_check_for_invalid_index(library, 0);
        read_palette(decoder);
    } else if (!is_grey16(decoder)) {
        if (decoder->depth == 16) png_set_strip_16(library);
        if (decoder->depth < 8) png_set_expand_gray_1_2_4_to_8(library);
        if (!(decoder->colours & PNG_COLOR_MASK_COLOR)) png_set_gray_to_rgb(library);
        if (!(decoder->colours & PNG_COLOR_MASK_ALPHA)) png_set_filler(library, 0, PNG_FILLER_AFTER);
    }
    decoder->passes = png_set_interlace_handling(library);
    png_read_update_info(library, decoder->info);
    decoder->row_bytes = png_get_rowbytes(library, decoder->info);
}

static bool take_memory(Decoder *decoder) {
    const size_t rows = decoder->passes > 1 ? decoder->height : 1;
    const bool converts = decoder->colours == PNG_COLOR_TYPE_PALETTE || is_grey16(decoder);
    decoder->pixels = memory_allocate(rows, decoder->row_bytes, decoder->error);
    if (converts) decoder->row = memory_allocate(decoder->width, IMAGE_PIXEL, decoder->error);
    return decoder->pixels && (decoder->row || !converts);
}

/* Pillow cuts grey of 16 bits at 255; it does not take the high byte. */
static const uint8_t *convert_row(Decoder *decoder, const uint8_t *pixels) {
    if (!decoder->row) return pixels;
    const bool indexed = decoder->colours == PNG_COLOR_TYPE_PALETTE;
    for (size_t x = 0; x < decoder->width; x++) {
        uint8_t *target = decoder->row + IMAGE_PIXEL * x;
        if (indexed)
            memcpy(target, decoder->palette[pixels[x]], IMAGE_PIXEL);
        else
            memset(target, pixels[2 * x] ? 255 : pixels[2 * x + 1], IMAGE_PIXEL);
    }
    return decoder->row;
}

/* What stands behind the last row (IEND among it) does not matter. */
static void read_rows(Decoder *decoder, const ImageSink *sink) {
    const bool interlaced = decoder->passes > 1;
    for (int pass = 0; pass < decoder->passes; pass++)
        for (size_t y = 0; y < decoder->height; y++) {
            uint8_t *pixels = decoder->pixels + (interlaced ? y * decoder->row_bytes : 0);
            png_read_row(decoder->library, pixels, NULL);
            if (pass == decoder->passes - 1) sink->row(sink->context, convert_row(decoder, pixels));
        }
}

static bool decode(Decoder *decoder, const ImageSink *sink) {
    if (setjmp(png_jmpbuf(decoder->library))) return false;
    read_header(decoder);
    if (!image_check_size(decoder->width, decoder->height, decoder->error)) return false;
    choose_conversion(decoder);
    if (!take_memory(decoder)) return false;
    if (!sink->begin(sink->context, decoder->width, decoder->height, decoder->error)) return false;
    read_rows(decoder, sink);
    return true;
}

bool image_decode_png(const uint8_t *bytes, size_t size, const ImageSink *sink, Error *warning,
                      Error *error) {
    Decoder decoder = {.bytes = bytes, .size = size, .warning = warning, .error = error};
    decoder.library =
        png_create_read_struct_2(PNG_LIBPNG_VER_STRING, &decoder, fail, note, &decoder, take, give_back);
    if (decoder.library) decoder.info = png_create_info_struct(decoder.library);
    const bool fine = decoder.info ? decode(&decoder, sink) : memory_error(error, 1, decoder.missing);
    png_destroy_read_struct(&decoder.library, &decoder.info, NULL);
    free(decoder.pixels);
    free(decoder.row);
    return fine;
}

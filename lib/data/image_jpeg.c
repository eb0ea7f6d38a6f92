#include "data/image_format.h"

#include "core/memory.h"

#include <errno.h>
#include <setjmp.h>
#include <stdio.h>

#include <jerror.h>
#include <jpeglib.h>

/* A progressive file costs a pass over the whole image per scan, and a scan can be a few bytes. Encoders
 * write about ten; the specification's finest division of 3 components is below 1000. */
enum { MAX_SCANS = 1000 };

/* Lives in the caller's frame, outside the one that calls setjmp, so that a longjmp leaves it defined. */
typedef struct Decoder {
    struct jpeg_decompress_struct library;
    struct jpeg_error_mgr handlers;
    struct jpeg_progress_mgr progress;
    jmp_buf failed;
    bool complete;    /* every row is decoded; what follows can only be worth a warning */
    uint8_t *memory;  /* of the row */
    uint8_t *row;     /* as it goes to the sink */
    uint8_t *samples; /* CMYK as it comes from the library, or NULL */
    Error *warning, *error;
} Decoder;

static void fail(j_common_ptr library) {
    Decoder *decoder = library->client_data;
    char text[JMSG_LENGTH_MAX];
    library->err->format_message(library, text);
    errno = ENOMEM;
    if (library->err->msg_code == JERR_OUT_OF_MEMORY)
        error_set_errno(decoder->error, "cannot decode a JPEG");
    else
        error_set(decoder->complete ? decoder->warning : decoder->error, "broken JPEG: %s", text);
    longjmp(decoder->failed, 1);
}

/* Level −1 is a warning. The one about the end of the file stands for missing pixels, which would be grey. */
static void note(j_common_ptr library, int level) {
    Decoder *decoder = library->client_data;
    if (level >= 0) return;
    char text[JMSG_LENGTH_MAX];
    library->err->format_message(library, text);
    if (library->err->msg_code == JWRN_JPEG_EOF && !decoder->complete) {
        error_set(decoder->error, "truncated JPEG: %s", text);
        longjmp(decoder->failed, 1);
    }
    if (!decoder->warning->message[0]) error_set(decoder->warning, "%s", text);
}

static void watch_scans(j_common_ptr library) {
    Decoder *decoder = library->client_data;
    if (decoder->library.input_scan_number <= MAX_SCANS) return;
    error_set(decoder->error, "broken JPEG: more than %d scans", MAX_SCANS);
    longjmp(decoder->failed, 1);
}

/* The row stands off alignment on purpose: into an aligned one libjpeg-turbo writes past the caches, and it
 * would be read back from memory at once, at half the speed of the whole. */
static bool take_memory(Decoder *decoder) {
    const size_t width = decoder->library.output_width;
    decoder->memory = memory_allocate(width + 1, IMAGE_PIXEL, decoder->error);
    if (!decoder->memory) return false;
    decoder->row = decoder->memory + IMAGE_PIXEL;
    if (decoder->library.out_color_space == JCS_CMYK)
        decoder->samples = memory_allocate(width, 4, decoder->error);
    return decoder->samples || decoder->library.out_color_space != JCS_CMYK;
}

/* Pillow takes all CMYK for inverted, as Adobe writes it: c, m, y, k here are 255 minus the ink. */
static void convert_cmyk(const uint8_t *samples, uint8_t *row, size_t width) {
    for (size_t x = 0; x < width; x++, samples += 4, row += IMAGE_PIXEL)
        for (int i = 0; i < 3; i++) {
            const int k = samples[3], ink = (255 - samples[i]) * k + 128;
            const int value = k - ((ink + (ink >> 8)) >> 8);
            row[i] = (uint8_t)(value < 0 ? 0 : value);
        }
}

static bool choose_colours(Decoder *decoder) {
    switch (decoder->library.num_components) {
    case 1:
    case 3:
        decoder->library.out_color_space = JCS_EXT_RGBX;
        return true;
    case 4:
        decoder->library.out_color_space = JCS_CMYK;
        return true;
    default:
        return error_set(decoder->error, "a JPEG of %d components; 1, 3 and 4 are supported",
                         decoder->library.num_components);
    }
}

static void read_rows(Decoder *decoder, const ImageSink *sink) {
    struct jpeg_decompress_struct *library = &decoder->library;
    JSAMPROW target = decoder->samples ? decoder->samples : decoder->row;
    while (library->output_scanline < library->output_height) {
        jpeg_read_scanlines(library, &target, 1);
        if (decoder->samples) convert_cmyk(decoder->samples, decoder->row, library->output_width);
        sink->row(sink->context, decoder->row);
    }
}

static bool decode(Decoder *decoder, const uint8_t *bytes, size_t size, const ImageSink *sink) {
    struct jpeg_decompress_struct *library = &decoder->library;
    if (setjmp(decoder->failed)) return decoder->complete;
    jpeg_create_decompress(library);
    jpeg_mem_src(library, bytes, size);
    jpeg_read_header(library, TRUE);
    if (!image_check_size(library->image_width, library->image_height, decoder->error)) return false;
    if (!choose_colours(decoder)) return false;
    library->progress = &decoder->progress;
    jpeg_start_decompress(library);
    if (!take_memory(decoder)) return false;
    if (!sink->begin(sink->context, library->output_width, library->output_height, decoder->error))
        return false;
    read_rows(decoder, sink);
    decoder->complete = true;
    jpeg_finish_decompress(library);
    return true;
}

bool image_decode_jpeg(const uint8_t *bytes, size_t size, const ImageSink *sink, Error *warning,
                       Error *error) {
    Decoder decoder = {.warning = warning, .error = error};
    decoder.library.err = jpeg_std_error(&decoder.handlers);
    decoder.library.client_data = &decoder;
    decoder.handlers.error_exit = fail;
    decoder.handlers.emit_message = note;
    decoder.progress.progress_monitor = watch_scans;
    const bool fine = decode(&decoder, bytes, size, sink);
    jpeg_destroy_decompress(&decoder.library);
    free(decoder.memory);
    free(decoder.samples);
    return fine;
}

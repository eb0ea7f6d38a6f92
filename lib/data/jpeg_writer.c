#include "data/jpeg_writer.h"

#include "core/memory.h"

#include <stdio.h>
#include <string.h>

#include <jpeglib.h>

/* In memory libjpeg can only fail for want of memory, and then ends the program with a message, as
 * memory_need does. */
unsigned char *jpeg_compress(const uint8_t *pixels, int size, int quality, size_t *count) {
    struct jpeg_compress_struct jpeg;
    struct jpeg_error_mgr errors;
    unsigned char *bytes = NULL;
    unsigned long written = 0;
    jpeg.err = jpeg_std_error(&errors);
    jpeg_create_compress(&jpeg);
    jpeg_mem_dest(&jpeg, &bytes, &written);
    jpeg.image_width = jpeg.image_height = (JDIMENSION)size;
    jpeg.input_components = 3;
    jpeg.in_color_space = JCS_RGB;
    jpeg_set_defaults(&jpeg);
    jpeg_set_quality(&jpeg, quality, TRUE);
    jpeg.comp_info[0].h_samp_factor = jpeg.comp_info[0].v_samp_factor = 1;
    jpeg_start_compress(&jpeg, TRUE);
    unsigned char *line = memory_need((size_t)size, 3);
    for (size_t row = 0; row < (size_t)size; row++) {
        memcpy(line, pixels + row * (size_t)size * 3, (size_t)size * 3);
        jpeg_write_scanlines(&jpeg, &line, 1);
    }
    free(line);
    jpeg_finish_compress(&jpeg);
    jpeg_destroy_compress(&jpeg);
    *count = written;
    return bytes;
}

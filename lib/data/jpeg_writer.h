/* Squares of pixels as JPEG files in memory. */
#ifndef DATA_JPEG_WRITER_H
#define DATA_JPEG_WRITER_H

#include <stddef.h>
#include <stdint.h>

/* Of RGB [size, size, 3], colour at full resolution; to be freed. */
unsigned char *jpeg_compress(const uint8_t *pixels, int size, int quality, size_t *count);

#endif

/* Pillow's bilinear or bicubic resizing to a square, bit for bit, of an image that comes row by row. What is
 * kept is a few rows of the result's width, however large the image. */
#ifndef DATA_IMAGE_RESIZE_H
#define DATA_IMAGE_RESIZE_H

#include "data/image_recipe.h"
#include "data/image_sink.h"

#include <stddef.h>

enum { IMAGE_MAX_SIZE = 4096 };

typedef struct ImageResizer ImageResizer;

/* For results of size × size, 1 … IMAGE_MAX_SIZE, by the recipe's filter and cut. One image at a time; keep
 * it for the next. */
ImageResizer *image_resizer_create(uint32_t size, const ImageRecipe *recipe);
void image_resizer_destroy(ImageResizer *resizer);

/* What to decode an image into so that its resized pixels, RGB [size, size, 3], appear in `pixels`. */
ImageSink image_resizer_sink(ImageResizer *resizer, uint8_t *pixels);

/* RGB bytes [size, size, 3] to an encoder's input, f32 [3, size, size]: (u / 255 − mean) / deviation. */
void image_normalise(const uint8_t *pixels, size_t size, const ImageRecipe *recipe, float *planes);

#endif

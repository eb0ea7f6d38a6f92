/* PMMRec's own LMDB of images: under the number of an item, as text, a pickled instance of its class
 * LMDB_Image with the attributes `image` (bytes, RGB), `size` (height, width) and `channels` (3). */
#ifndef DATA_PICKLED_IMAGES_H
#define DATA_PICKLED_IMAGES_H

#include "data/image_pack.h"

typedef struct PickledImages PickledImages;

/* `path` is the LMDB file, or the folder that holds it as data.mdb. */
PickledImages *pickled_images_open(const char *path, Error *error);
void pickled_images_close(PickledImages *images);

/* The images as a source; it lives as long as they do. An item's key is its name without a "v" before it, and
 * if that is a number, without zeros before it; or else the name as it is. Pickles are read, and nothing in
 * them is executed. */
ImageSource pickled_images_source(const PickledImages *images);

#endif

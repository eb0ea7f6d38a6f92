/* One image store or several, as shards of a packing are, read as one: images in the order of the stores. */
#ifndef DATA_IMAGE_STORES_H
#define DATA_IMAGE_STORES_H

#include "data/image_store.h"

typedef struct ImageStores ImageStores;

/* All must have images of one size, resized in one way, and no item may be in two of them. */
ImageStores *image_stores_open(char *const *paths, size_t count, Error *error);

/* The same of "A.lmdb,B.lmdb". */
ImageStores *image_stores_open_list(const char *list, Error *error);

/* Whether the first, at least, is a store. */
bool image_stores_are_listed(const char *list);

void image_stores_close(ImageStores *stores);

/* Store number i, from 0; NULL behind the last. */
const ImageStore *image_stores_part(const ImageStores *stores, size_t i);

const char *image_stores_name(const ImageStores *stores); /* of the first */
size_t image_stores_count(const ImageStores *stores);     /* images */
uint32_t image_stores_size(const ImageStores *stores);

/* That of the first; it belongs to the stores. */
const json_t *image_stores_header(const ImageStores *stores);

/* As of streams that follow each other: content_append. A new reference. */
json_t *image_stores_content(const ImageStores *stores);

/* As image_store_next, image_store_skip and image_store_rewind. */
int image_stores_next(ImageStores *stores, StoredImage *image, Error *error);
void image_stores_skip(ImageStores *stores, size_t count);
void image_stores_rewind(ImageStores *stores);

#endif

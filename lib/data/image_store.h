/* An image store: packed images of one size in one LMDB file, found by item name and read in the items' order
 * without a copy (formats/images.md). */
#ifndef DATA_IMAGE_STORE_H
#define DATA_IMAGE_STORE_H

#include "core/error.h"
#include "core/name_table.h"

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

typedef struct ImageStoreWriter ImageStoreWriter;
typedef struct ImageStore ImageStore;

/* Item names are keys of LMDB, which has this limit. */
enum { IMAGE_STORE_MAX_NAME = 511 };

/* A store of images of size × size that appears under `path` at image_store_commit and not before. */
ImageStoreWriter *image_store_create(const char *path, uint32_t size, Error *error);

/* The same, written as PATH.part, which stays when it is abandoned or the program is killed. One that is
 * there is gone on with, from the last image_store_save that wrote. What is made in the end has the same
 * bytes as without interruption. */
ImageStoreWriter *image_store_resume(const char *path, uint32_t size, Error *error);

/* The name that it will have. */
const char *image_store_target(const ImageStoreWriter *writer);

/* What image_store_save was given last in a store that is gone on with; NULL in a new one. */
const json_t *image_store_progress(const ImageStoreWriter *writer);

/* Whether the image of this item is in what was gone on with. */
bool image_store_had(const ImageStoreWriter *writer, const char *name, size_t name_size);

/* Adds an item; `pixels` are RGB [size, size, 3]. A name that is empty, too long, holds a space or a newline,
 * or was added before, is an error. */
bool image_store_put(ImageStoreWriter *writer, const char *name, size_t name_size, const uint8_t *pixels,
                     Error *error);

/* Writes the images that wait if they are as many as are written at a time, and `progress` (stolen) with
 * them. */
bool image_store_save(ImageStoreWriter *writer, json_t *progress, Error *error);

/* Writes the header and makes the store appear. The order of its items is that of `order`, of whose names
 * some may have no image, or with NULL that in which they were put. `header` (stolen) brings the provenance,
 * as header_sign makes it; `inputs` (stolen, may be NULL) the content of what the images were made from, by
 * role. Frees the writer, also on failure. */
bool image_store_commit(ImageStoreWriter *writer, const NameTable *order, json_t *header, json_t *inputs,
                        Error *error);

/* Leaves nothing behind, but what image_store_resume can go on with. NULL is allowed. */
void image_store_abandon(ImageStoreWriter *writer);

/* Whether the file is an LMDB file and so for image_store_open; false also when it cannot be read. */
bool image_store_is_one(const char *path);

/* Opens a store after checking that no page, key or value in it lies outside the file. One thread at a time
 * may use it. */
ImageStore *image_store_open(const char *path, Error *error);
void image_store_close(ImageStore *store);

const char *image_store_name(const ImageStore *store);
size_t image_store_count(const ImageStore *store);
uint32_t image_store_size(const ImageStore *store);

/* {"format": "images", "version": 1, "size", "count", "content", "provenance", …}; it belongs to the store.
 */
const json_t *image_store_header(const ImageStore *store);

/* {"hash": …, "inputs": {…}}: what the header says the images are. A new reference. */
json_t *image_store_content(const ImageStore *store);

typedef struct StoredImage {
    const char *name; /* not NUL-terminated */
    size_t name_size;
    const uint8_t *pixels; /* RGB [size, size, 3], in the mapped file, valid until the store is closed */
} StoredImage;

/* The next image in the items' order: 1 when there was one, 0 after the last, −1 on error. The end is an
 * error when the images read do not hash to what the header says. */
int image_store_next(ImageStore *store, StoredImage *image, Error *error);

/* Goes on behind the first `count` images. Then not all are read, and their hash is not looked at. */
void image_store_skip(ImageStore *store, size_t count);

/* Back to the first image. */
void image_store_rewind(ImageStore *store);

/* The names of all items in their order, a newline behind each. */
const char *image_store_names(const ImageStore *store, size_t *size);

bool image_store_has(const ImageStore *store, const char *name, size_t name_size);

/* The pixels of one item; NULL with a message when there are none. */
const uint8_t *image_store_find(const ImageStore *store, const char *name, size_t name_size, Error *error);

#endif

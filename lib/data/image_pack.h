/* Packs the images of a list of items into a store, on all processors. */
#ifndef DATA_IMAGE_PACK_H
#define DATA_IMAGE_PACK_H

#include "core/name_table.h"
#include "data/image_recipe.h"
#include "data/image_sink.h"
#include "data/image_store.h"

/* An image file as a source that is read from front to back brings it. */
typedef struct ImageFile {
    const char *item; /* valid until the next one is read */
    size_t item_size;
    char *label;    /* for messages; to be freed, as are the bytes */
    uint8_t *bytes; /* of the file, or NULL with `error` where they could not be had */
    size_t size;
    Error error;
} ImageFile;

/* Where images come from: a source with `find` and `load`, which are called from several threads at once, is
 * asked for each item in its turn; one with `next` brings its files in their own order. */
typedef struct ImageSource {
    const void *context;
    const char *name; /* for messages: where it was looked */
    /* 1: there is an image of this item; 0: there is none; −1: the source is at fault. */
    int (*find)(const void *context, const char *item, size_t size, Error *error);
    /* Decodes the item's image into the sink, as image_decode does. A message names the file. */
    bool (*load)(const void *context, const char *item, size_t size, const ImageSink *sink, Error *warning,
                 Error *error);
    /* Says what may have been meant where an item has no image; false when nothing is like it. May be NULL.
     */
    bool (*hint)(const void *context, const char *item, size_t size, Error *hint);
    /* 1: a file was read; 0: there are no more; −1: the source is at fault. */
    int (*next)(const void *context, ImageFile *file, Error *error);
} ImageSource;

/* What becomes of an item without a usable image: the end of the work, a black image, or nothing. */
typedef enum PackChoice { PACK_ERROR, PACK_ZERO, PACK_SKIP } PackChoice;

typedef struct ImagePack {
    PackChoice missing, broken;
    ImageRecipe recipe; /* its filter and cut */
    size_t first, end;  /* of the items, those with numbers from `first` on and below `end` are packed */
    const json_t *job;  /* all that the images follow from (core/same_run.h): another's store is refused */
    size_t packed, missing_count, broken_count, damaged_count; /* set by image_pack */
    bool in_order;                                             /* they were put in the order of the items */
} ImagePack;

/* Lists the missing, broken and (with -v) damaged ones in the log, the first of each kind. With PACK_ERROR
 * all items are looked at before it fails; no image at all is an error in any case, and so is a machine that
 * lacks memory or descriptors. Memory does not depend on the number of items. */
bool image_pack(ImagePack *pack, const ImageSource *source, const NameTable *items, uint32_t size,
                ImageStoreWriter *writer, Error *error);

#endif

/* Packs the images of a list of items into a store, on all processors and in the items' order. */
#ifndef DATA_IMAGE_PACK_H
#define DATA_IMAGE_PACK_H

#include "core/name_table.h"
#include "data/image_sink.h"
#include "data/image_store.h"

/* Where images come from. Both functions are called from several threads at once. */
typedef struct ImageSource {
    const void *context;
    const char *name; /* for messages: where it was looked */
    /* 1: there is an image of this item; 0: there is none; −1: the source is at fault. */
    int (*find)(const void *context, const char *item, size_t size, Error *error);
    /* Decodes the item's image into the sink, as image_decode does. A message names the file. */
    bool (*load)(const void *context, const char *item, size_t size, const ImageSink *sink, Error *warning,
                 Error *error);
} ImageSource;

/* What becomes of an item without a usable image: the end of the work, a black image, or nothing. */
typedef enum PackChoice { PACK_ERROR, PACK_ZERO, PACK_SKIP } PackChoice;

typedef struct ImagePack {
    PackChoice missing, broken;
    size_t packed, missing_count, broken_count, damaged_count; /* set by image_pack */
} ImagePack;

/* Lists the missing, broken and (with -v) damaged ones in the log, the first of each kind. With PACK_ERROR
 * all items are looked at before it fails. Memory does not depend on the number of items. */
bool image_pack(ImagePack *pack, const ImageSource *source, const NameTable *items, uint32_t size,
                ImageStoreWriter *writer, Error *error);

#endif

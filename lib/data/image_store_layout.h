/* What the writer and the reader of an image store must agree about (formats/images.md). */
#ifndef DATA_IMAGE_STORE_LAYOUT_H
#define DATA_IMAGE_STORE_LAYOUT_H

#define IMAGE_STORE_FORMAT "images"

enum { IMAGE_STORE_VERSION = 1 };

/* Keys that no item can have, since item names hold no space. */
#define IMAGE_STORE_HEADER_KEY " header"
#define IMAGE_STORE_ORDER_KEY " order"
#define IMAGE_STORE_PROGRESS_KEY " progress" /* of a store that is not complete */

#endif

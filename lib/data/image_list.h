/* A list of image files: item TAB path, a line each. */
#ifndef DATA_IMAGE_LIST_H
#define DATA_IMAGE_LIST_H

#include "data/image_pack.h"

typedef struct ImageList ImageList;

/* "-" is standard input. A path is relative to the working folder. An item that stands twice is an error.
 * `names` are those of the items that will be asked for: they stay the caller's, outlive the list and are not
 * altered meanwhile. */
ImageList *image_list_open(const char *path, NameTable *names, Error *error);
void image_list_close(ImageList *list);

/* The files as a source; it lives as long as the list. */
ImageSource image_list_source(const ImageList *list);

#endif

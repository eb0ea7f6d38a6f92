/* A folder of image files named after their items: ITEM.jpg, .jpeg, .png or .webp, in any case, in it or in
 * any folder below it. */
#ifndef DATA_IMAGE_FOLDER_H
#define DATA_IMAGE_FOLDER_H

#include "data/image_pack.h"

typedef struct ImageFolder ImageFolder;

/* Reads the names in the folder and below it; only these files are ever opened, whatever an item is called.
 * `names` are those of the items that will be asked for: they stay the caller's, outlive the folder and are
 * not altered meanwhile. NULL: any item may be asked for. */
ImageFolder *image_folder_open(const char *path, NameTable *names, Error *error);
void image_folder_close(ImageFolder *folder);

/* The folder as a source of images; it lives as long as the folder. */
ImageSource image_folder_source(const ImageFolder *folder);

#endif

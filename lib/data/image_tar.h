/* A tar file of images named after their items, as WebDataset has them, read from front to back. */
#ifndef DATA_IMAGE_TAR_H
#define DATA_IMAGE_TAR_H

#include "data/image_pack.h"

typedef struct ImageTar ImageTar;

/* "-" is standard input. The file may be compressed. Entries that are no image by their extension are passed
 * over, and so are folders in names: a/b/ITEM.jpg is the image of ITEM. */
ImageTar *image_tar_open(const char *path, Error *error);
void image_tar_close(ImageTar *tar);

/* The files as a source; it lives as long as the tar file. */
ImageSource image_tar_source(ImageTar *tar);

#endif

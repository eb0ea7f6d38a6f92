/* An image file by its path. */
#ifndef DATA_IMAGE_FILE_H
#define DATA_IMAGE_FILE_H

#include "data/image_sink.h"

/* No sane poster is near it; it bounds what a hostile file can make a thread hold. */
enum { IMAGE_MAX_FILE = 1 << 28 };

/* As image_decode; messages name the file. */
bool image_file_decode(const char *path, const ImageSink *sink, Error *warning, Error *error);

#endif

/* Small pictures of items for a page, from an image store or a folder of image files. */
#ifndef REPORT_POSTERS_H
#define REPORT_POSTERS_H

#include "core/error.h"

#include <stddef.h>
#include <stdio.h>

typedef struct Posters Posters;

Posters *posters_open(const char *path, Error *error);
void posters_close(Posters *posters);

/* Writes the item's picture as a data URI, an empty one where there is none or it is broken. False when the
 * machine fails. */
bool posters_put(Posters *posters, const char *item, size_t size, FILE *page, Error *error);

#endif

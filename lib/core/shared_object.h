/* Plug-ins: shared objects of ours that a program loads only when it is asked for what they do, so that it
 * needs none of the libraries that they do. */
#ifndef CORE_SHARED_OBJECT_H
#define CORE_SHARED_OBJECT_H

#include "core/error.h"

#include <stdbool.h>
#include <stddef.h>

/* The plug-in's path, or else the place where it would be looked for first. */
bool shared_object_find(const char *name, char *path, size_t size);

/* Loads it for as long as the program lives. NULL with a message, which says what `needs` is for a make that
 * builds it ("CUDA's nvcc"). */
void *shared_object_open(const char *name, const char *needs, Error *error);

/* The message for one that does not fit the program. */
bool shared_object_refuse(const char *name, Error *error);

#endif

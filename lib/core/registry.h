/* Parts found by name: constants of some struct whose first member is its name. */
#ifndef CORE_REGISTRY_H
#define CORE_REGISTRY_H

#include "core/error.h"

#include <stddef.h>

/* The part with this name among `count`; NULL with a message that says what it is not ("fusion") and lists
 * those that are known. */
const void *registry_find(const void *const *parts, size_t count, const char *what, const char *name,
                          size_t length, Error *error);

#endif

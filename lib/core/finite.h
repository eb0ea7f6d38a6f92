/* Values that are no number or infinite, found before they spread. */
#ifndef CORE_FINITE_H
#define CORE_FINITE_H

#include <stddef.h>

/* Where the first of `count` values stands that is not finite; SIZE_MAX when all are. */
size_t first_not_finite(const float *values, size_t count);

#endif

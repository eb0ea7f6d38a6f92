/* Lower-casing by Unicode's full mapping, of no locale: what Python's str.lower does. */
#ifndef TEXT_LOWERCASE_H
#define TEXT_LOWERCASE_H

#include <stddef.h>

/* The lower-case form of well-formed UTF-8, to be freed, with a NUL behind it. */
char *lowercase(const char *text, size_t size, size_t *lower_size);

#endif

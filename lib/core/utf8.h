/* Whether bytes are UTF-8, and how to make them so. */
#ifndef CORE_UTF8_H
#define CORE_UTF8_H

#include <stddef.h>

/* The number of bytes before the first ill-formed sequence; `size` when there is none. Ill-formed are stray
 * continuation bytes, overlong forms, surrogates, values above U+10FFFF and cut sequences. */
size_t utf8_valid_prefix(const char *bytes, size_t size);

/* A copy with one U+FFFD for each maximal ill-formed part (Unicode 14, section 3.9), to be freed. */
char *utf8_replace_ill_formed(const char *bytes, size_t size, size_t *replaced_size);

#endif

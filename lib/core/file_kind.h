/* What a file is, by its first bytes, and which program takes it: for messages about a file that was given in
 * the place of another. */
#ifndef CORE_FILE_KIND_H
#define CORE_FILE_KIND_H

#include "core/error.h"

#include <stddef.h>

/* So many bytes are enough, all there are of a shorter file: a block of zstd must be whole to be looked into.
 */
enum { FILE_KIND_BYTES = 1 << 18 };

/* "a gzip file; …", without a full stop; NULL when it is not known. */
const char *file_kind_describe(const void *bytes, size_t size);

/* Whether it is something that no text begins like. */
bool file_kind_is_binary(const void *bytes, size_t size);

/* What a stream of this kind is; NULL for a kind that is not known. */
const char *file_kind_of_stream(const char *kind);

/* Puts what the file is behind the message that stands, where that can be told. Returns false. */
bool file_kind_explain(const char *path, Error *error);

#endif

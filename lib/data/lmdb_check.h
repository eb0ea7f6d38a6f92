/* LMDB trusts its file: a damaged page number or size makes it read outside the map. So a file from elsewhere
 * is looked through before LMDB gets it. */
#ifndef DATA_LMDB_CHECK_H
#define DATA_LMDB_CHECK_H

#include "core/error.h"

#include <stddef.h>

/* Whether the bytes (24 are enough) begin an LMDB file. */
bool lmdb_is_one(const void *bytes, size_t size);

/* Walks the tree of the main database in a file of the version 0.9 for 64 bits: every page, key and value
 * must lie within the file, and the tree must be one. What the values hold is not looked at. *size becomes
 * the file's size. */
bool lmdb_check(const char *path, size_t *size, Error *error);

#endif

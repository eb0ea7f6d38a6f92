/* Zip files through libzip, with every size checked against the file before it is believed. */
#ifndef ARRAYS_ZIP_ARCHIVE_H
#define ARRAYS_ZIP_ARCHIVE_H

#include "core/error.h"

#include <stddef.h>
#include <stdint.h>

typedef struct ZipArchive ZipArchive;
typedef struct ZipReader ZipReader;

typedef struct ZipEntry {
    const char *name; /* belongs to the archive */
    uint64_t size;    /* of the content; not above what the entry's bytes can unpack to */
    bool stored;      /* not compressed */
} ZipEntry;

ZipArchive *zip_archive_open(const char *path, Error *error);
void zip_archive_close(ZipArchive *archive);
size_t zip_archive_count(const ZipArchive *archive);

/* NULL for an entry without a readable name. */
const char *zip_archive_name(const ZipArchive *archive, size_t index);

/* SIZE_MAX when there is none. */
size_t zip_archive_find(const ZipArchive *archive, const char *name);

/* A message does not name the file. */
bool zip_archive_entry(const ZipArchive *archive, size_t index, ZipEntry *entry, Error *error);

/* Reads an entry from its beginning. */
ZipReader *zip_reader_open(ZipArchive *archive, size_t index, Error *error);
void zip_reader_close(ZipReader *reader);

/* Exactly `size` bytes; fewer are an error. */
bool zip_reader_read(ZipReader *reader, void *bytes, size_t size, Error *error);

/* After the last byte: that nothing follows, and that the content's checksum holds. */
bool zip_reader_finish(ZipReader *reader, Error *error);

/* A whole entry, to be freed, with a NUL behind it. */
unsigned char *zip_archive_read(ZipArchive *archive, size_t index, uint64_t limit, size_t *size,
                                Error *error);

#endif

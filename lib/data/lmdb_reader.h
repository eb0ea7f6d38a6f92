/* An LMDB file that is only read: its main database, values where they lie in the mapped file. */
#ifndef DATA_LMDB_READER_H
#define DATA_LMDB_READER_H

#include "core/error.h"

#include <lmdb.h>
#include <stddef.h>

typedef struct LmdbReader {
    MDB_env *environment;
    MDB_txn *transaction;
    MDB_dbi database;
} LmdbReader;

/* Opens a file after checking that no page, key or value in it lies outside of it. On failure there is
 * nothing to close. */
bool lmdb_reader_open(LmdbReader *reader, const char *path, Error *error);

/* {0} is allowed. */
void lmdb_reader_close(LmdbReader *reader);

/* False when there is no such key. One thread at a time; the value is valid until the reader is closed. */
bool lmdb_reader_get(const LmdbReader *reader, const char *key, size_t key_size, MDB_val *value);

/* How many keys there are. */
size_t lmdb_reader_count(const LmdbReader *reader);

#endif

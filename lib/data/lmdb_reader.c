#include "data/lmdb_reader.h"

#include "data/lmdb_check.h"

bool lmdb_reader_open(LmdbReader *reader, const char *path, Error *error) {
    size_t file_size;
    *reader = (LmdbReader){0};
    if (!lmdb_check(path, &file_size, error)) return false;
    int status = mdb_env_create(&reader->environment);
    if (!status) status = mdb_env_set_mapsize(reader->environment, file_size);
    if (!status) status = mdb_env_open(reader->environment, path, MDB_RDONLY | MDB_NOSUBDIR | MDB_NOLOCK, 0);
    if (!status) status = mdb_txn_begin(reader->environment, NULL, MDB_RDONLY, &reader->transaction);
    if (!status) status = mdb_dbi_open(reader->transaction, NULL, 0, &reader->database);
    if (!status) return true;
    lmdb_reader_close(reader);
    return error_set(error, "%s: LMDB: %s", path, mdb_strerror(status));
}

void lmdb_reader_close(LmdbReader *reader) {
    if (reader->transaction) mdb_txn_abort(reader->transaction);
    if (reader->environment) mdb_env_close(reader->environment);
    *reader = (LmdbReader){0};
}

bool lmdb_reader_get(const LmdbReader *reader, const char *key, size_t key_size, MDB_val *value) {
    MDB_val name = {key_size, (void *)key};
    return !mdb_get(reader->transaction, reader->database, &name, value);
}

size_t lmdb_reader_count(const LmdbReader *reader) {
    MDB_stat numbers;
    return mdb_stat(reader->transaction, reader->database, &numbers) ? 0 : numbers.ms_entries;
}

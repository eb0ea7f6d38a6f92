/* A record out of its msgpack object. */
#ifndef STREAM_RECORD_PARSE_H
#define STREAM_RECORD_PARSE_H

#include "stream/record.h"

#include <msgpack.h>

/* The record's texts and data lie where the object's bytes do, which are changed: texts get a NUL, and the
 * parts of a tensor move together. Messages do not say where. */
bool record_parse(const msgpack_object *object, Record *record, Error *error);

#endif

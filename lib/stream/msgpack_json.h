/* The JSON-like maps of a stream (header and end) between msgpack and jansson. */
#ifndef STREAM_MSGPACK_JSON_H
#define STREAM_MSGPACK_JSON_H

#include "core/error.h"

#include <jansson.h>
#include <msgpack.h>

/* A new reference; NULL with a message for what JSON has not (binary data, a NaN, a key that is no string or
 * comes twice, text that is not UTF-8). */
json_t *json_from_msgpack(const msgpack_object *object, Error *error);

/* The same of bytes that nobody has looked at, within scan_map_limits. */
json_t *json_from_msgpack_bytes(const unsigned char *bytes, size_t size, Error *error);

/* Levels of arrays and maps. */
int json_depth(const json_t *value);

/* What the packer's callback did with the bytes, the callback knows. */
void json_to_msgpack(const json_t *value, msgpack_packer *packer);

#endif

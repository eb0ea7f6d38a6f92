/* The header of a stream: a JSON-like map (formats/stream.md lists the keys of each kind), with the
 * provenance of what follows: which tool wrote it, with which options, from what. */
#ifndef STREAM_HEADER_H
#define STREAM_HEADER_H

#include "core/error.h"

#include <jansson.h>
#include <stdint.h>

#define STREAM_FORMAT "pmt"
enum { STREAM_VERSION = 1 };

/* {"format": "pmt", "version": 1, "kind": kind}. Kinds: tokens, hidden, pixels, items, encoder, model. */
json_t *header_create(const char *kind);

/* Makes `tool` the producer; `options` (stolen) as options_record gives them. Call it before
 * header_add_input. */
void header_sign(json_t *header, const char *tool, json_t *options);

/* Adds to the provenance what the producer reads in the role `role` (text, image, model, users, …): the
 * header of another stream, or NULL for a file of another kind. */
void header_add_input(json_t *header, const char *role, const json_t *input);

/* Descent is kept for this many generations of inputs (msgpack-c unpacks no more levels); what is older is
 * known by the hashes of its descendants. */
enum { HEADER_MAX_GENERATIONS = 12 };

/* A copy of a provenance or of a content (stream_reader_content) that ends there; null for NULL. */
json_t *header_prune(const json_t *tree);

/* The header, its provenance joined with the hashes that `content` has for the stream and for every input. A
 * new reference. */
json_t *header_lineage(const json_t *header, const json_t *content);

/* Whether streams with these headers may follow each other as one: all but `provenance` and `info`
 * must be equal. */
bool header_is_compatible(const json_t *header, const json_t *other);

/* For messages: what keeps them from it, as "dim is 64 and 768; …". Empty when they are compatible. */
enum { HEADER_DIFFERENCES_TEXT = 400 };
void header_differences(const json_t *header, const json_t *other, char text[HEADER_DIFFERENCES_TEXT]);

/* For messages: the header without its provenance and info, on one line. To be freed. */
char *header_describe(const json_t *header);

/* Values that a reader needs; a missing key or another type is an error that names the key. */
const char *header_text(const json_t *header, const char *key, Error *error);
bool header_integer(const json_t *header, const char *key, int64_t minimum, int64_t maximum, int64_t *value,
                    Error *error);

#endif

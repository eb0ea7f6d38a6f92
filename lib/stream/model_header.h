/* The header of a model joined from parts of several. */
#ifndef STREAM_MODEL_HEADER_H
#define STREAM_MODEL_HEADER_H

#include "core/error.h"

#include <jansson.h>

/* Adds to `header` what only `other` has, so that it describes the tensors of both. Settings of training may
 * differ, and stay as they are in `header`; any other difference (in what shapes the tensors, in an encoder's
 * configuration) is an error that lists the keys. */
bool model_header_merge(json_t *header, const json_t *other, Error *error);

#endif

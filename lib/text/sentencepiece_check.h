/* What libsentencepiece believes without looking, checked before it is given a model. */
#ifndef TEXT_SENTENCEPIECE_CHECK_H
#define TEXT_SENTENCEPIECE_CHECK_H

#include "core/error.h"

#include <stddef.h>
#include <stdint.h>

/* Whether a .model file is well-formed protobuf whose character map never leads out of its own memory. */
bool sentencepiece_check(const uint8_t *bytes, size_t size, Error *error);

#endif

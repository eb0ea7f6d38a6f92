/* The hidden states of an item in a record of the kind "hidden": floats, or i8 with a scale a row
 * (formats/stream.md). */
#ifndef STREAM_HIDDEN_STATES_H
#define STREAM_HIDDEN_STATES_H

#include "stream/record.h"

/* Where they lie, not aligned. */
typedef struct HiddenStates {
    DType dtype;
    size_t rows, width;
    const void *values; /* [rows, width] */
    const void *scales; /* f32 [rows], of i8 alone */
} HiddenStates;

/* Those of a record, which must be finite. Messages name the record. */
bool hidden_states_of(const Record *record, HiddenStates *states, Error *error);

/* [rows, width] */
void hidden_states_to_f32(const HiddenStates *states, float *out);

/* The same in one piece of memory: the scales, then the values. */
size_t hidden_states_bytes(DType dtype, size_t rows, size_t width);
HiddenStates hidden_states_at(const void *bytes, DType dtype, size_t rows, size_t width);

/* Gives a record the tensors of these finite values, rounded to a float dtype or to i8, as they then lie in
 * `room` (hidden_states_bytes). Values of more than 127 · 2^120 are an error for i8; the message does not say
 * where. */
bool hidden_states_fill(Record *record, DType dtype, const float *values, size_t rows, size_t width,
                        void *room, Error *error);

#endif

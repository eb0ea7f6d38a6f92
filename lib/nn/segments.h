/* A ragged batch: the rows of a tensor, cut into consecutive segments (the tokens of an item, the items of a
 * user). Padding does not exist. */
#ifndef NN_SEGMENTS_H
#define NN_SEGMENTS_H

#include <stddef.h>

typedef struct Segments {
    size_t count;
    const size_t
        *offsets; /* count + 1 of them, rising from 0; segment i is rows offsets[i] … offsets[i + 1] − 1 */
} Segments;

static inline size_t segments_rows(Segments segments) {
    return segments.offsets[segments.count];
}

static inline size_t segments_length(Segments segments, size_t i) {
    return segments.offsets[i + 1] - segments.offsets[i];
}

#endif

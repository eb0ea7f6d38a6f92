/* Walks a msgpack object of which more and more bytes arrive, and finds where it ends, without trusting its
 * lengths. msgpack-c itself believes them; so it is only given objects that passed here. */
#ifndef STREAM_MSGPACK_SCAN_H
#define STREAM_MSGPACK_SCAN_H

#include <stddef.h>
#include <stdint.h>

/* msgpack-c unpacks this many levels of arrays and maps, and no more. */
enum { SCAN_MAX_DEPTH = 31 };

typedef struct ScanLimits {
    uint64_t bytes;          /* of the whole object */
    uint64_t elements;       /* values in it, on all levels */
    uint64_t text;           /* bytes of a string or of binary data … */
    int data_depth;          /* … which from this level on may be of any size when binary */
    int depth;               /* levels of arrays and maps */
    const uint32_t *members; /* the largest array on each level; NULL: `elements` is enough */
} ScanLimits;

/* Those of the maps of a stream: header and end. */
extern const ScanLimits scan_map_limits;

typedef struct MsgpackScan {
    uint64_t at;       /* where the next value starts; the size when the object is whole */
    uint64_t body;     /* bytes from `at` on that still belong to the value before it */
    uint64_t elements; /* passed so far */
    int depth;
    uint64_t left[SCAN_MAX_DEPTH]; /* members still to come, for each open array or map */
    const char *problem;           /* what is wrong, after SCAN_BAD */
} MsgpackScan;

typedef enum ScanStatus { SCAN_BAD = -1, SCAN_MORE, SCAN_WHOLE } ScanStatus;

/* Goes on over the first `size` bytes of the object, which start with those of the calls before. The scan
 * starts as {0}. */
ScanStatus msgpack_scan(MsgpackScan *scan, const ScanLimits *limits, const unsigned char *bytes, size_t size);

#endif

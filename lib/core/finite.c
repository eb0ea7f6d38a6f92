#include "core/finite.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

enum { PIECE = 4096 };

/* All bits of the exponent are set in those that are not. */
static int has_not_finite(const float *values, size_t count) {
    uint32_t any = 0;
    for (size_t i = 0; i < count; i++) {
        uint32_t bits;
        memcpy(&bits, &values[i], sizeof bits);
        any |= (bits & 0x7f800000u) == 0x7f800000u;
    }
    return any != 0;
}

size_t first_not_finite(const float *values, size_t count) {
    for (size_t first = 0; first < count; first += PIECE) {
        const size_t size = count - first < PIECE ? count - first : PIECE;
        if (!has_not_finite(values + first, size)) continue;
        while (isfinite(values[first]))
            first++;
        return first;
    }
    return SIZE_MAX;
}

/* The element types of tensors that travel, and their conversions. */
#ifndef CORE_DTYPE_H
#define CORE_DTYPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef enum DType {
    DTYPE_F32,
    DTYPE_F16,
    DTYPE_BF16,
    DTYPE_I32,
    DTYPE_I64,
    DTYPE_U8,
    DTYPE_I8,
    DTYPE_BOOL, /* a byte that is 0 or 1 */
    DTYPE_COUNT
} DType;

size_t dtype_size(DType dtype);
const char *dtype_name(DType dtype);
bool dtype_is_float(DType dtype);

/* False when no dtype has this name. */
bool dtype_from_name(const char *name, size_t length, DType *dtype);

/* `count` elements of a float dtype to f32 and back (round to nearest even). `in` may be unaligned. */
void dtype_to_f32(DType dtype, const void *in, float *out, size_t count);
void dtype_from_f32(DType dtype, const float *in, void *out, size_t count);

/* The first of `count` elements of a float dtype that is not finite; `count` when there is none. */
size_t dtype_find_not_finite(DType dtype, const void *values, size_t count);

enum { DTYPE_VALUE_TEXT = 32 };

/* Element `place` as text, a float with the digits that tell it from its neighbours. `values` may be
 * unaligned. */
void dtype_print_value(DType dtype, const void *values, uint64_t place, char text[DTYPE_VALUE_TEXT]);

static inline float bf16_to_f32(uint16_t value) {
    const uint32_t bits = (uint32_t)value << 16;
    float result;
    memcpy(&result, &bits, sizeof result);
    return result;
}

static inline uint16_t bf16_from_f32(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    const uint32_t rounded = (bits + 0x7fff + ((bits >> 16) & 1)) >> 16;
    return (uint16_t)((bits & 0x7fffffff) > 0x7f800000 ? (bits >> 16) | 0x40 : rounded);
}

#endif

#include "core/dtype.h"

#include "core/finite.h"

#include <inttypes.h>
#include <stdio.h>

/* Tensors travel little-endian, and are used as they come. */
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "this program runs on little-endian machines only");

static const struct {
    const char *name;
    size_t size;
    bool is_float;
} dtypes[DTYPE_COUNT] = {
    [DTYPE_F32] = {"f32", 4, true},  [DTYPE_F16] = {"f16", 2, true},    [DTYPE_BF16] = {"bf16", 2, true},
    [DTYPE_I32] = {"i32", 4, false}, [DTYPE_I64] = {"i64", 8, false},   [DTYPE_U8] = {"u8", 1, false},
    [DTYPE_I8] = {"i8", 1, false},   [DTYPE_BOOL] = {"bool", 1, false},
};

size_t dtype_size(DType dtype) {
    return dtypes[dtype].size;
}

const char *dtype_name(DType dtype) {
    return dtypes[dtype].name;
}

bool dtype_is_float(DType dtype) {
    return dtypes[dtype].is_float;
}

bool dtype_from_name(const char *name, size_t length, DType *dtype) {
    for (int i = 0; i < DTYPE_COUNT; i++)
        if (strlen(dtypes[i].name) == length && !memcmp(dtypes[i].name, name, length)) {
            *dtype = (DType)i;
            return true;
        }
    return false;
}

void dtype_to_f32(DType dtype, const void *in, float *out, size_t count) {
    const unsigned char *bytes = in;
    if (dtype == DTYPE_F32) {
        if (count) memcpy(out, in, count * sizeof *out);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        uint16_t half;
        memcpy(&half, bytes + 2 * i, 2);
        if (dtype == DTYPE_BF16) {
            out[i] = bf16_to_f32(half);
        } else {
            _Float16 value;
            memcpy(&value, &half, 2);
            out[i] = (float)value;
        }
    }
}

void dtype_from_f32(DType dtype, const float *in, void *out, size_t count) {
    unsigned char *bytes = out;
    if (dtype == DTYPE_F32) {
        if (count) memcpy(out, in, count * sizeof *in);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        const _Float16 value = (_Float16)in[i];
        uint16_t half = bf16_from_f32(in[i]);
        if (dtype == DTYPE_F16) memcpy(&half, &value, 2);
        memcpy(bytes + 2 * i, &half, 2);
    }
}

size_t dtype_find_not_finite(DType dtype, const void *values, size_t count) {
    enum { CHUNK = 1024 };
    float chunk[CHUNK];
    for (size_t done = 0; done < count; done += CHUNK) {
        const size_t now = count - done < CHUNK ? count - done : CHUNK;
        dtype_to_f32(dtype, (const unsigned char *)values + done * dtype_size(dtype), chunk, now);
        const size_t at = first_not_finite(chunk, now);
        if (at < now) return done + at;
    }
    return count;
}

static int64_t load_integer(DType dtype, const unsigned char *bytes) {
    int64_t wide;
    int32_t narrow;
    switch (dtype) {
    case DTYPE_I64:
        memcpy(&wide, bytes, sizeof wide);
        return wide;
    case DTYPE_I32:
        memcpy(&narrow, bytes, sizeof narrow);
        return narrow;
    case DTYPE_I8:
        return (int8_t)*bytes;
    default:
        return *bytes;
    }
}

void dtype_print_value(DType dtype, const void *values, uint64_t place, char text[DTYPE_VALUE_TEXT]) {
    /* A float of b bits of significand is told from its neighbours by 1 + ceil(b log10 2) digits. */
    static const int digits[DTYPE_COUNT] = {[DTYPE_F32] = 9, [DTYPE_F16] = 5, [DTYPE_BF16] = 4};
    const size_t size = dtype_size(dtype);
    const unsigned char *at = (const unsigned char *)values + place * size;
    if (dtype_is_float(dtype)) {
        float value;
        dtype_to_f32(dtype, at, &value, 1);
        snprintf(text, DTYPE_VALUE_TEXT, "%.*g", digits[dtype], (double)value);
    } else {
        snprintf(text, DTYPE_VALUE_TEXT, "%" PRId64, load_integer(dtype, at));
    }
}

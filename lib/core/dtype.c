#include "core/dtype.h"

#include <math.h>

static const struct {
    const char *name;
    size_t size;
    bool is_float;
} dtypes[DTYPE_COUNT] = {
    [DTYPE_F32] = {"f32", 4, true},  [DTYPE_F16] = {"f16", 2, true},  [DTYPE_BF16] = {"bf16", 2, true},
    [DTYPE_I32] = {"i32", 4, false}, [DTYPE_I64] = {"i64", 8, false}, [DTYPE_U8] = {"u8", 1, false},
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
        for (size_t i = 0; i < now; i++)
            if (!isfinite(chunk[i])) return done + i;
    }
    return count;
}

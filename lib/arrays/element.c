#include "arrays/element.h"

#include <inttypes.h>
#include <math.h>

static const struct {
    const char *name;
    size_t size;
    bool is_float;
    DType dtype;
} elements[ELEMENT_COUNT] = {
    [ELEMENT_F64] = {"f64", 8, true, DTYPE_F32},     [ELEMENT_F32] = {"f32", 4, true, DTYPE_F32},
    [ELEMENT_F16] = {"f16", 2, true, DTYPE_F16},     [ELEMENT_BF16] = {"bf16", 2, true, DTYPE_BF16},
    [ELEMENT_I64] = {"i64", 8, false, DTYPE_I64},    [ELEMENT_I32] = {"i32", 4, false, DTYPE_I32},
    [ELEMENT_I16] = {"i16", 2, false, DTYPE_I32},    [ELEMENT_I8] = {"i8", 1, false, DTYPE_I8},
    [ELEMENT_U64] = {"u64", 8, false, DTYPE_I64},    [ELEMENT_U32] = {"u32", 4, false, DTYPE_I64},
    [ELEMENT_U16] = {"u16", 2, false, DTYPE_I32},    [ELEMENT_U8] = {"u8", 1, false, DTYPE_U8},
    [ELEMENT_BOOL] = {"bool", 1, false, DTYPE_BOOL},
};

size_t element_size(ElementType type) {
    return elements[type].size;
}

const char *element_name(ElementType type) {
    return elements[type].name;
}

bool element_is_float(ElementType type) {
    return elements[type].is_float;
}

DType element_dtype(ElementType type) {
    return elements[type].dtype;
}

#define LOAD(Type)                                                                                           \
    do {                                                                                                     \
        Type value;                                                                                          \
        memcpy(&value, bytes, sizeof value);                                                                 \
        return (int64_t)value;                                                                               \
    } while (0)

/* An integer element; an u64 above INT64_MAX comes out negative. */
static int64_t load_integer(ElementType type, const unsigned char *bytes) {
    switch (type) {
    case ELEMENT_I64:
        LOAD(int64_t);
    case ELEMENT_I32:
        LOAD(int32_t);
    case ELEMENT_I16:
        LOAD(int16_t);
    case ELEMENT_I8:
        LOAD(int8_t);
    case ELEMENT_U64:
        LOAD(uint64_t);
    case ELEMENT_U32:
        LOAD(uint32_t);
    case ELEMENT_U16:
        LOAD(uint16_t);
    case ELEMENT_BOOL:
        return *bytes != 0;
    default:
        return *bytes;
    }
}

static bool store_integer(DType to, int64_t value, unsigned char *out) {
    const int32_t narrow = (int32_t)value;
    switch (to) {
    case DTYPE_I64:
        memcpy(out, &value, sizeof value);
        return true;
    case DTYPE_I32:
        memcpy(out, &narrow, sizeof narrow);
        return narrow == value;
    default:
        *out = (unsigned char)value;
        return to == DTYPE_I8     ? value >= INT8_MIN && value <= INT8_MAX
               : to == DTYPE_BOOL ? value == 0 || value == 1
                                  : value >= 0 && value <= UINT8_MAX;
    }
}

static bool convert_integers(ElementType from, const unsigned char *in, DType to, unsigned char *out,
                             size_t count, Error *error) {
    for (size_t i = 0; i < count; i++) {
        const int64_t value = load_integer(from, in + i * element_size(from));
        if (from == ELEMENT_U64 && value < 0)
            return error_set(error, "element %zu is %" PRIu64 ", which is no %s", i, (uint64_t)value,
                             dtype_name(to));
        if (!store_integer(to, value, out + i * dtype_size(to)))
            return error_set(error, "element %zu is %" PRId64 ", which is no %s", i, value, dtype_name(to));
    }
    return true;
}

enum { CHUNK = 1024 };

static double load_double(ElementType from, const unsigned char *bytes) {
    double value;
    float narrow;
    if (from == ELEMENT_F64) {
        memcpy(&value, bytes, sizeof value);
    } else if (element_is_float(from)) {
        dtype_to_f32(element_dtype(from), bytes, &narrow, 1);
        value = (double)narrow;
    } else {
        value = (double)load_integer(from, bytes);
    }
    return value;
}

static void load_floats(ElementType from, const unsigned char *in, float *out, size_t count) {
    if (element_is_float(from) && from != ELEMENT_F64) {
        dtype_to_f32(element_dtype(from), in, out, count);
        return;
    }
    for (size_t i = 0; i < count; i++)
        out[i] = (float)load_double(from, in + i * element_size(from));
}

/* The first of the elements that is finite and became infinite; `count` when there is none. */
static size_t find_overflow(ElementType from, const unsigned char *in, DType to, const unsigned char *out,
                            size_t count) {
    float after[CHUNK];
    dtype_to_f32(to, out, after, count);
    for (size_t i = 0; i < count; i++)
        if (isinf(after[i]) && isfinite(load_double(from, in + i * element_size(from)))) return i;
    return count;
}

static bool convert_floats(ElementType from, const unsigned char *in, DType to, unsigned char *out,
                           size_t count, Error *error) {
    float chunk[CHUNK];
    for (size_t done = 0; done < count; done += CHUNK) {
        const size_t now = count - done < CHUNK ? count - done : CHUNK;
        const unsigned char *from_bytes = in + done * element_size(from);
        load_floats(from, from_bytes, chunk, now);
        dtype_from_f32(to, chunk, out + done * dtype_size(to), now);
        const size_t over = find_overflow(from, from_bytes, to, out + done * dtype_size(to), now);
        if (over < now)
            return error_set(error, "element %zu is %g, too large for %s", done + over,
                             load_double(from, from_bytes + over * element_size(from)), dtype_name(to));
    }
    return true;
}

bool element_convert(ElementType from, const void *in, DType to, void *out, size_t count, Error *error) {
    if (count == 0) return true;
    const bool same_bytes = element_dtype(from) == to && element_size(from) == dtype_size(to);
    if (same_bytes && from != ELEMENT_BOOL && from != ELEMENT_U64) {
        memcpy(out, in, count * dtype_size(to));
        return true;
    }
    if (dtype_is_float(to)) return convert_floats(from, in, to, out, count, error);
    if (element_is_float(from))
        return error_set(error, "elements are %s where integers are needed", element_name(from));
    return convert_integers(from, in, to, out, count, error);
}

void element_to_mask(ElementType from, const void *in, unsigned char *mask, size_t count) {
    float chunk[CHUNK];
    const unsigned char *bytes = in;
    for (size_t done = 0; done < count; done += CHUNK) {
        const size_t now = count - done < CHUNK ? count - done : CHUNK;
        load_floats(from, bytes + done * element_size(from), chunk, now);
        for (size_t i = 0; i < now; i++)
            mask[done + i] = chunk[i] != 0;
    }
}

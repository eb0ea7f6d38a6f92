#include "stream/hidden_states.h"

#include <inttypes.h>
#include <math.h>

/* Of i8: so that no product with a scale is infinite. */
static const float largest_scale = 0x1p120f;

static float scale_of(const HiddenStates *states, size_t row) {
    float scale;
    memcpy(&scale, (const char *)states->scales + row * sizeof scale, sizeof scale);
    return scale;
}

static bool check_finite(const HiddenStates *states, const char *where, Error *error) {
    if (states->dtype != DTYPE_I8) {
        const size_t count = states->rows * states->width;
        return dtype_find_not_finite(states->dtype, states->values, count) == count ||
               error_set(error, "%s: tensor 'hidden' has values that are infinite or no number", where);
    }
    for (size_t row = 0; row < states->rows; row++) {
        const float scale = scale_of(states, row);
        if (!(scale >= 0 && scale <= largest_scale))
            return error_set(error, "%s: tensor 'scale' has the value %g; scales go from 0 to 2^120", where,
                             (double)scale);
    }
    return true;
}

static bool find_scales(const Record *record, const char *where, HiddenStates *states, Error *error) {
    const RecordTensor *scales = record_need(record, "scale", DTYPE_F32, 1, error);
    if (!scales) return false;
    states->scales = scales->data;
    return scales->shape[0] == states->rows ||
           error_set(error, "%s: tensor 'scale' has %" PRIu64 " values for %zu rows of 'hidden'", where,
                     scales->shape[0], states->rows);
}

bool hidden_states_of(const Record *record, HiddenStates *states, Error *error) {
    const RecordTensor *tensor = record_find(record, "hidden");
    const bool scaled = tensor && tensor->dtype == DTYPE_I8 && tensor->dimensions == 2;
    if (!scaled) tensor = record_need_float(record, "hidden", 2, error);
    if (!tensor) return false;
    char where[RECORD_WHERE_TEXT];
    record_where(record, where);
    *states = (HiddenStates){
        .dtype = tensor->dtype, .rows = tensor->shape[0], .width = tensor->shape[1], .values = tensor->data};
    return (!scaled || find_scales(record, where, states, error)) && check_finite(states, where, error);
}

void hidden_states_to_f32(const HiddenStates *states, float *out) {
    const size_t width = states->width;
    if (states->dtype != DTYPE_I8) {
        dtype_to_f32(states->dtype, states->values, out, states->rows * width);
        return;
    }
    const int8_t *values = states->values;
    for (size_t row = 0; row < states->rows; row++) {
        const float scale = scale_of(states, row);
        for (size_t i = row * width; i < (row + 1) * width; i++)
            out[i] = (float)values[i] * scale;
    }
}

static size_t scale_bytes(DType dtype, size_t rows) {
    return dtype == DTYPE_I8 ? rows * sizeof(float) : 0;
}

size_t hidden_states_bytes(DType dtype, size_t rows, size_t width) {
    return scale_bytes(dtype, rows) + rows * width * dtype_size(dtype);
}

HiddenStates hidden_states_at(const void *bytes, DType dtype, size_t rows, size_t width) {
    const char *values = (const char *)bytes + scale_bytes(dtype, rows);
    return (HiddenStates){dtype, rows, width, values, bytes};
}

/* The bits of numbers without their signs are in the order of the numbers. */
static float largest_magnitude(const float *values, size_t count) {
    uint32_t largest = 0;
    for (size_t i = 0; i < count; i++) {
        uint32_t bits;
        memcpy(&bits, &values[i], sizeof bits);
        bits &= 0x7fffffff;
        largest = bits > largest ? bits : largest;
    }
    float result;
    memcpy(&result, &largest, sizeof result);
    return result;
}

/* Returns the scale. Where that is too small to be exact, more than 127 steps are 127. */
static float round_row(const float *values, size_t width, int8_t *rounded) {
    const float scale = largest_magnitude(values, width) / 127;
    for (size_t i = 0; i < width; i++) {
        const float steps = scale > 0 ? rintf(values[i] / scale) : 0;
        rounded[i] = (int8_t)(steps > 127 ? 127 : steps < -127 ? -127 : steps);
    }
    return scale;
}

bool hidden_states_fill(Record *record, DType dtype, const float *values, size_t rows, size_t width,
                        void *room, Error *error) {
    char *to = (char *)room + scale_bytes(dtype, rows);
    record->count = 1;
    record->tensors[0] = record_tensor("hidden", dtype, to, 2, (uint64_t)rows, (uint64_t)width);
    if (dtype != DTYPE_I8) {
        dtype_from_f32(dtype, values, to, rows * width);
        return true;
    }
    record->tensors[record->count++] = record_tensor("scale", DTYPE_F32, room, 1, (uint64_t)rows);
    for (size_t row = 0; row < rows; row++) {
        const float scale = round_row(values + row * width, width, (int8_t *)to + row * width);
        if (scale > largest_scale)
            return error_set(error, "hidden states of %g are too large for i8; use bf16",
                             127 * (double)scale);
        memcpy((char *)room + row * sizeof scale, &scale, sizeof scale);
    }
    return true;
}

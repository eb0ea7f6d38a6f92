/* Functions of libm in a form that the compiler vectorises: no branch, no call, errors of a few units in the
 * last place. The coefficients are least-maximum fits of exp on ±ln 2 / 2, of 2^x on ±1/2 and of log2 of the
 * normal distribution's tail on [0, 7]. */
#ifndef NN_VECTOR_MATH_H
#define NN_VECTOR_MATH_H

#include <math.h>
#include <stdint.h>
#include <string.h>

/* For x ≤ 88; 0 below −87.7. A NaN stays one, as it is the second operand of the comparison. */
static inline float vector_exp_below(float x) {
    const float clipped = -88.0f > x ? -88.0f : x;
    const float n = rintf(clipped * 1.44269504f);
    const float r = fmaf(n, -1.42860677e-6f, fmaf(n, -0.693145752f, clipped));
    float y = 1.395604449e-03f;
    y = fmaf(y, r, 8.375128584e-03f);
    y = fmaf(y, r, 4.166608380e-02f);
    y = fmaf(y, r, 1.666641548e-01f);
    y = fmaf(y, r, 5.000000168e-01f);
    y = fmaf(y, r, 1.0f);
    y = fmaf(y, r, 1.0f);
    const uint32_t bits = (uint32_t)((int32_t)n + 127) << 23; /* 0, a scale of 0, for n = −127 */
    float scale;
    memcpy(&scale, &bits, sizeof scale);
    return y * scale;
}

static inline float vector_exp(float x) {
    return vector_exp_below(88.0f < x ? 88.0f : x);
}

/* 2^x for −126 ≤ x ≤ 126. */
static inline float vector_exp2(float x) {
    const float n = rintf(x), r = x - n;
    float y = 1.535336341e-04f;
    y = fmaf(y, r, 1.339887502e-03f);
    y = fmaf(y, r, 9.618436918e-03f);
    y = fmaf(y, r, 5.550332367e-02f);
    y = fmaf(y, r, 2.402264774e-01f);
    y = fmaf(y, r, 6.931471825e-01f);
    y = fmaf(y, r, 1.0f);
    const int32_t bits = ((int32_t)n + 127) << 23;
    float scale;
    memcpy(&scale, &bits, sizeof scale);
    return y * scale;
}

/* |x|, and 7 where that is less: behind it the normal distribution has 1e-12 left. */
static inline float vector_normal_argument(float x) {
    const float magnitude = fabsf(x);
    return magnitude < 7.0f ? magnitude : 7.0f;
}

/* The share of the normal distribution below x; its error is absolute. */
static inline float vector_normal_below(float x) {
    const float t = vector_normal_argument(x);
    float y = -3.397826163e-07f;
    y = fmaf(y, t, 7.090685358e-06f);
    y = fmaf(y, t, -6.070594463e-05f);
    y = fmaf(y, t, 2.412559988e-04f);
    y = fmaf(y, t, 5.828791109e-05f);
    y = fmaf(y, t, -7.001476828e-03f);
    y = fmaf(y, t, 5.247090384e-02f);
    y = fmaf(y, t, 4.592127800e-01f);
    y = fmaf(y, t, 1.151104927e+00f);
    const float tail = vector_exp2(-fmaf(y, t, 1.0f));
    return x < 0 ? tail : 1.0f - tail;
}

/* The density of the normal distribution, times x. */
static inline float vector_normal_moment(float x) {
    const float t = vector_normal_argument(x);
    return copysignf(t * vector_exp2(fmaf(t * t, -0.72134752f, -1.32574806f)), x);
}

static inline float vector_sigmoid(float x) {
    return 1.0f / (1.0f + vector_exp(-x));
}

static inline float vector_tanh(float x) {
    return 1.0f - 2.0f / (1.0f + vector_exp(2.0f * x));
}

#endif

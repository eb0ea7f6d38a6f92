/* Functions of libm in a form that the compiler vectorises: no branch, no call, errors of a few units in the
 * last place. The coefficients are least-maximum fits of exp on ±ln 2 / 2, of erf(x)/x in x² on [0, 1] and of
 * −ln erfc on [1, 4]. */
#ifndef NN_VECTOR_MATH_H
#define NN_VECTOR_MATH_H

#include <math.h>
#include <stdint.h>
#include <string.h>

static inline float vector_exp(float x) {
    const float low = x < 88.0f ? x : 88.0f, clipped = low > -87.0f ? low : -87.0f;
    const float n = rintf(clipped * 1.44269504f);
    const float r = fmaf(n, -1.42860677e-6f, fmaf(n, -0.693145752f, clipped));
    float y = 1.395604449e-03f;
    y = fmaf(y, r, 8.375128584e-03f);
    y = fmaf(y, r, 4.166608380e-02f);
    y = fmaf(y, r, 1.666641548e-01f);
    y = fmaf(y, r, 5.000000168e-01f);
    y = fmaf(y, r, 1.0f);
    y = fmaf(y, r, 1.0f);
    const int32_t bits = ((int32_t)n + 127) << 23;
    float scale;
    memcpy(&scale, &bits, sizeof scale);
    const float power = x < -87.0f ? 0.0f : y * scale;
    return x != x ? x : power; /* a NaN stays one */
}

static inline float vector_erf(float x) {
    const float magnitude = fabsf(x), t = magnitude < 4.0f ? magnitude : 4.0f, s = t * t;
    float small = 7.889113018e-05f;
    small = fmaf(small, s, -8.020839330e-04f);
    small = fmaf(small, s, 5.189535121e-03f);
    small = fmaf(small, s, -2.685444448e-02f);
    small = fmaf(small, s, 1.128360017e-01f);
    small = fmaf(small, s, -3.761262714e-01f);
    small = fmaf(small, s, 1.128379166e+00f);
    float large = -2.513946161e-07f;
    large = fmaf(large, t, 2.531576320e-05f);
    large = fmaf(large, t, -4.637937583e-04f);
    large = fmaf(large, t, 4.282401926e-03f);
    large = fmaf(large, t, -2.537359549e-02f);
    large = fmaf(large, t, 1.086390491e-01f);
    large = fmaf(large, t, 6.330395719e-01f);
    large = fmaf(large, t, 1.129661175e+00f);
    large = fmaf(large, t, -2.043633391e-04f);
    return t < 1.0f ? small * x : copysignf(1.0f - vector_exp(-large), x);
}

static inline float vector_sigmoid(float x) {
    return 1.0f / (1.0f + vector_exp(-x));
}

static inline float vector_tanh(float x) {
    return 1.0f - 2.0f / (1.0f + vector_exp(2.0f * x));
}

#endif
